"""The beginning that a server says again is not heard, in whatever pieces it comes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.providers.echo import Echo


def heard(beginning: str, *pieces: str) -> str:
    """Return what is passed on, to the end."""
    echo = Echo(beginning)
    return "".join([*map(echo.feed, pieces), echo.rest()])


@given(st.text(max_size=12).map(str.rstrip), st.text(max_size=12), st.lists(st.integers(0, 24), max_size=5))
def test_the_echo_is_left_out_and_nothing_else(beginning: str, rest: str, cuts: list[int]) -> None:
    """However the server cuts its text."""
    said = beginning + rest
    places = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    pieces = [said[a:b] for a, b in pairwise(places)]

    assert heard(beginning, *pieces) == rest


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(["There was more."], id="something else"),
        pytest.param(["Once upon", " a midnight"], id="the same for a while"),
        pytest.param(["Once"], id="no more than its first word"),
        pytest.param([" ", "\n"], id="white space"),
    ],
)
def test_what_is_no_echo_is_passed_on_whole(pieces: list[str]) -> None:
    """A server that has stopped saying it again loses nothing."""
    assert heard("Once upon a time", *pieces) == "".join(pieces)


def test_white_space_before_the_words_is_not_compared() -> None:
    """Prompt templates strip it."""
    assert heard(" Once", "On", "ce", " upon") == " upon"
    assert heard("Once", "\nOnce upon") == " upon"


def test_an_echo_is_left_out_once() -> None:
    """Models repeat themselves, and mean it."""
    assert heard("ha", "haha", "ha") == "haha"


def test_text_is_passed_on_as_soon_as_it_is_told_apart() -> None:
    """Readers are waiting."""
    echo = Echo("Once")

    assert [echo.feed(piece) for piece in ("On", "ly", " you")] == ["", "Only", " you"]
