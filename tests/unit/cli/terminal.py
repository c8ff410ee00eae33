"""What somebody sees: the small part of a terminal that the command line uses."""

import re

_SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|(.)", re.DOTALL)


class Terminal:
    """Rows of cells, endlessly many; writing beyond the last column goes on in the next row."""

    def __init__(self, width: int) -> None:
        self.row = 0
        self._column = 0
        self._width = width
        self._rows: list[list[str]] = [[]]

    def feed(self, written: str) -> None:
        """Show what a program wrote.

        Raises:
            AssertionError: It wrote something that this terminal does not know.
        """
        for given, command, letter in _SEQUENCE.findall(written):
            if command:
                self._obey(command, given)
            elif letter == "\n":
                self.row, self._column = self.row + 1, 0
            elif letter == "\r":
                self._column = 0
            else:
                assert letter.isprintable(), repr(letter)
                self._put(letter)

    @property
    def seen(self) -> str:
        """What stands on the screen, without the space at the ends of lines."""
        return "\n".join("".join(row).rstrip() for row in self._rows).rstrip()

    def _put(self, letter: str) -> None:
        if self._column == self._width:
            self.row, self._column = self.row + 1, 0
        row = self._at(self.row)
        row.extend(" " * (self._column + 1 - len(row)))
        row[self._column] = letter
        self._column += 1

    def _obey(self, command: str, given: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(given or 1))
        elif command == "K":
            assert given == "2"
            self._at(self.row).clear()
        else:
            assert command == "m" or given == "?25", f"{given}{command}"

    def _at(self, row: int) -> list[str]:
        while len(self._rows) <= row:
            self._rows.append([])
        return self._rows[row]
