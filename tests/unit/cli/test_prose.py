"""Text on a terminal: broken between words, counted in rows, unable to command."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meanwhile.cli.prose import Prose, harmless
from tests.unit.cli.terminal import Terminal

WIDTH = 12


@example([" " + "a" * WIDTH])
@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=40), max_size=6))
def test_the_rows_it_counts_are_those_that_a_terminal_fills(texts: list[str]) -> None:
    """Text that is taken back is taken back by the row: one too many would erase a stranger's line."""
    prose, terminal = Prose(WIDTH), Terminal(WIDTH)

    for text in texts:
        terminal.feed(prose.add(text))
        assert prose.rows == terminal.row
    terminal.feed(prose.end())

    assert prose.rows == terminal.row
    assert terminal.seen.split() == cut("".join(texts).split())


def cut(words: list[str]) -> list[str]:
    """Return words as a terminal shows them: too long ones in pieces."""
    return [word[at : at + WIDTH] for word in words for at in range(0, len(word), WIDTH)]


def test_it_breaks_between_words_wherever_the_pieces_break() -> None:
    """A word that arrives in halves must not be begun on a line that cannot hold it."""
    prose = Prose(WIDTH)

    printed = [prose.add(piece) for piece in ("One two thr", "ee fo", "ur", " five\n  six")]

    assert "".join([*printed, prose.end()]) == "One two\nthree four\nfive\n  six"


def test_wide_letters_take_two_cells() -> None:
    """Else Chinese would be broken in mid-word by the terminal, and rows miscounted."""
    prose = Prose(WIDTH)

    assert prose.add("中文中文 中文中文 x") + prose.end() == "中文中文\n中文中文 x"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[2Jhi", "]0;owned[2Jhi"),
        ("\x9b31mred\x08\x7f", "31mred"),
        ("a\tb\r\nc\rd", "a    b\ncd"),
        ("\ud800", "?"),
        ("ünï — 中", "ünï — 中"),
    ],
)
def test_a_model_cannot_command_the_terminal(said: str, shown: str) -> None:
    """Its words may come from a page that it read, and escape codes can retitle, erase and paste."""
    assert harmless(said) == shown
