"""Text that arrives in pieces, set for a terminal."""

import re
from dataclasses import dataclass

from rich.cells import cell_len

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PIECE = re.compile(r"\n|[^\S\n]+|\S+")


def harmless(text: str) -> str:
    """Return text without what would command the terminal: a model's words are not to be trusted with it."""
    spaced = text.replace("\r\n", "\n").replace("\t", "    ")
    return _CONTROL.sub("", spaced).encode("utf-8", "replace").decode()


@dataclass(slots=True)
class Prose:
    """Breaks lines between words, and knows how many rows it has filled.

    The last word is held back, because the next piece may make it longer.
    """

    width: int
    """At least 1, whatever the terminal says of itself."""
    rows: int = 0
    """How far the cursor is below the row where the text began."""
    _column: int = 0
    _held: str = ""

    def __post_init__(self) -> None:
        self.width = max(1, self.width)

    def add(self, text: str) -> str:
        """Return what can be printed."""
        pieces = _PIECE.findall(self._held + text)
        word = pieces.pop() if pieces and not pieces[-1].isspace() else ""
        spaces = pieces.pop() if pieces and pieces[-1] != "\n" and pieces[-1].isspace() else ""
        self._held = spaces + word
        return self._set(pieces)

    def end(self) -> str:
        """Return what was held back."""
        pieces, self._held = _PIECE.findall(self._held), ""
        return self._set(pieces)

    def drop(self) -> None:
        """Forget what was held back."""
        self._held = ""

    @property
    def at_margin(self) -> bool:
        """Whether the cursor stands where a line begins."""
        return self._column == 0

    def _set(self, pieces: list[str]) -> str:
        printed, spaces = [], ""
        for piece in pieces:
            if piece == "\n":
                printed.append(self._break())
                spaces = ""
            elif piece.isspace():
                spaces = piece
            else:
                printed.append(self._word(spaces, piece))
                spaces = ""
        return "".join(printed)

    def _break(self) -> str:
        self.rows += 1
        self._column = 0
        return "\n"

    def _word(self, spaces: str, word: str) -> str:
        if (self._column or spaces) and self._column + cell_len(spaces + word) > self.width:
            return (self._break() if self._column else "") + self._word("", word)
        self._column += cell_len(spaces + word)
        if self._column > self.width:  # the terminal itself breaks a word that fits on no line
            self.rows += (self._column - 1) // self.width
            self._column = (self._column - 1) % self.width + 1
        return spaces + word
