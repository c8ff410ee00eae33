"""The simulator's vocabulary, read from `words.toml`."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What prose is written with (first four), and what prompts are read by."""

    nouns: Sequence[str]
    adjectives: Sequence[str]
    verbs: Sequence[str]
    phrases: Sequence[str]
    without_meaning: frozenset[str]
    sentence_starts: frozenset[str]
    named_things: frozenset[str]

    @classmethod
    def load(cls) -> Self:
        """Read the file beside this one."""
        text = files("meanwhile.providers.simulation").joinpath("words.toml").read_text(encoding="utf-8")
        lists = tomllib.loads(text)
        return cls(
            nouns=lists["nouns"].split(),
            adjectives=lists["adjectives"].split(),
            verbs=lists["verbs"].split(),
            phrases=lists["phrases"],
            without_meaning=frozenset(lists["without_meaning"].split()),
            sentence_starts=frozenset(lists["sentence_starts"].split()),
            named_things=frozenset(lists["named_things"].split()),
        )


WORDS = Words.load()
