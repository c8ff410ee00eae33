"""Some servers say the beginning that they were given once more, before they go on from it."""


class Echo:
    """Takes one beginning off the start of a text that comes in pieces, if it is there.

    White space before it is not compared: prompt templates strip it.
    """

    def __init__(self, beginning: str) -> None:
        self._expected = beginning.lstrip()
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what can be passed on by now; may be empty."""
        if not self._expected:
            return piece
        self._held += piece
        heard = self._held.lstrip()
        if len(heard) < len(self._expected) and self._expected.startswith(heard):
            return ""
        if heard.startswith(self._expected):
            self._held = heard[len(self._expected) :]
        return self.rest()

    def rest(self) -> str:
        """Return what was held back and is no echo after all."""
        held, self._held, self._expected = self._held, "", ""
        return held
