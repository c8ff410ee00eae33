"""Text that arrives in pieces may be cut inside a character; it leaves here whole."""

_HIGH = ("\ud800", "\udbff")


def healed(text: str) -> str:
    """Return the text with surrogate pairs joined, and lone halves as U+FFFD, so it can always be encoded."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Healer:
    """Heals a text that comes in pieces: half a pair at the end of one waits for the next."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what can be passed on by now; may be empty."""
        text = self._held + piece
        self._held = ""
        if text and _HIGH[0] <= text[-1] <= _HIGH[1]:
            text, self._held = text[:-1], text[-1]
        return healed(text)

    def rest(self) -> str:
        """Return what was held back for a second half that never came."""
        held, self._held = self._held, ""
        return healed(held)
