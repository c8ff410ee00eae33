"""Examples for regular expressions that are never run."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.providers.simulation.patterns import NotSimple, example_of


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{3}$",
        "^\\d{3}-\\d{4}$",
        "^(cat|dog)s?$",
        "^[^a-z]+$",
        "^(?:ab){2,}c*$",
        "^\\w+@\\w+\\.com$",
        "^[\\w.-]+$",
        "^\\+?[1-9]\\d{1,14}$",
        "^#[0-9a-fA-F]{6}$",
        "^(?P<year>\\d{4})$",
        "^a{2}?b$",
        "x",
        "^[]a]$",
        "^\\S\\D\\W$",
        "",
    ],
)
def test_an_example_matches_its_pattern(pattern: str) -> None:
    """The patterns people write for codes, numbers and addresses."""
    assert re.search(pattern, example_of(pattern))


@given(st.from_regex(r"[\[\]()|*+?{},\\^$.a-c0-2-]{0,12}", fullmatch=True))
def test_reading_a_pattern_ends_in_an_example_or_a_refusal(pattern: str) -> None:
    """Never in another error, whatever stands in the schema."""
    try:
        example_of(pattern)
    except NotSimple:
        return
