"""The vocabularies, as `make test` puts them."""

from functools import cache
from pathlib import Path

from meanwhile.vocabulary import VOCABULARIES, Vocabularies

FOLDER = Path(__file__).parents[2] / "build/tiktoken"


@cache
def vocabularies() -> Vocabularies:
    """Return the real ones, loaded once for all tests of a process."""
    missing = [name for name, each in VOCABULARIES.items() if not (FOLDER / each.file).is_file()]
    assert not missing, f"{missing}: make vocabulary"
    return Vocabularies(str(FOLDER))
