"""The simulator's own tokens: a word with the space before it, or a few signs. Usage counts the same."""

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\s?\w{1,10}|\s?[^\w\s]{1,4}|\s")


def tokens_of(text: str) -> Sequence[str]:
    """Cut the text into tokens; joined they are the text again."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Return how many tokens the text has."""
    return len(_TOKEN.findall(text))
