"""Prose about nothing: as long as wanted, the same for the same seed, as repetitive as real text."""

import hashlib
from collections.abc import Iterator, Sequence

from meanwhile.providers.simulation.words import WORDS

_JOINTS = ["and", "while", "because", "although", "so", "but", "until", "whenever"]
_OPENERS = [
    "Meanwhile,",
    "Later,",
    "Even so,",
    "In time,",
    "Elsewhere,",
    "Now and then,",
    "Of course,",
    "At last,",
]
_MONTHS = ["January", "March", "April", "May", "June", "August", "September", "October", "December"]
_SYLLABLES = [
    "bal",
    "cor",
    "dun",
    "el",
    "fen",
    "gar",
    "hol",
    "is",
    "jor",
    "ka",
    "lim",
    "mo",
    "nar",
    "os",
    "pel",
    "qua",
    "rin",
    "sut",
    "tam",
    "ul",
    "vex",
    "wig",
    "yar",
    "zo",
    "bre",
    "clu",
    "dra",
    "fro",
    "gly",
    "ham",
    "ike",
    "jun",
    "kest",
    "lu",
    "mab",
    "nev",
    "opp",
    "pru",
    "rosk",
    "thi",
]
_ARTICLES = ["the", "the", "the", "every", "no", "this", "that", "one", "their", "our", "some", "another"]


class Dice:
    """Numbers that look random and are the same for the same seed, on every machine and version."""

    def __init__(self, seed: bytes) -> None:
        self._state = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")

    def roll(self, sides: int) -> int:
        """Return a number from 0 up to, not including, `sides`."""
        # Knuth's MMIX generator; its high bits are the good ones.
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % sides

    def pick(self, choices: Sequence[str]) -> str:
        """Return one of them."""
        return choices[self.roll(len(choices))]


def prose(words: int, seed: bytes) -> Iterator[str]:
    """Yield exactly so many words, each with the white space that belongs before it."""
    dice = Dice(seed)
    left = words
    sentence = 0
    while left > 0:
        for place, word in enumerate(_sentence(dice)[:left]):
            space = "" if left == words else "\n\n" if place == 0 and sentence % 6 == 0 else " "
            left -= 1
            yield space + (word if left else word.rstrip(",.") + ".")
        sentence += 1


def _sentence(dice: Dice) -> Sequence[str]:
    clause = _clause(dice)
    if dice.roll(3) == 0:
        clause += f", {dice.pick(_JOINTS)} {_clause(dice)}"
    if dice.roll(12) == 0:
        clause += f" {dice.pick(WORDS.phrases)}"
    elif dice.roll(2):
        clause += f" {_when(dice)}"
    if dice.roll(5) == 0:
        return f"{dice.pick(_OPENERS)} {clause}.".split()
    return f"{clause[0].upper()}{clause[1:]}.".split()


def _when(dice: Dice) -> str:
    """Return a date or an hour: like names, what makes real text hard to compress."""
    if dice.roll(2):
        return f"at {1 + dice.roll(12)}:{dice.roll(60):02}"
    return f"in {dice.pick(_MONTHS)} {1700 + dice.roll(320)}"


def _clause(dice: Dice) -> str:
    return f"{_thing(dice)} {dice.pick(WORDS.verbs)} {_thing(dice)}"


def _name(dice: Dice) -> str:
    return "".join(dice.pick(_SYLLABLES) for _ in range(2 + dice.roll(2))).capitalize()


def _thing(dice: Dice) -> str:
    if dice.roll(6) == 0:
        return _name(dice)
    article = dice.pick(_ARTICLES)
    noun = dice.pick(WORDS.nouns)
    if dice.roll(3) == 0:
        return f"{2 + dice.roll(98)} {dice.pick(WORDS.adjectives)} {noun}s"
    if dice.roll(2):
        return f"{article} {noun}"
    return f"{article} {dice.pick(WORDS.adjectives)} {noun}"
