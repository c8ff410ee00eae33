"""Values a prompt offers for the arguments of a function or the fields of an answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from meanwhile.providers.simulation.words import WORDS

_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w-])")
_NAME = re.compile(r"\b[A-Z][\w'-]*(?: [A-Z][\w'-]*)*")
_AFTER_PLACE_WORD = re.compile(r"\b(?:in|at|near|from|to|for)\s+([A-Z][\w'-]*(?: [A-Z][\w'-]*)*)")
_LOWER_AFTER_IN = re.compile(r"\bin\s+(?!the\b|a\b|an\b|my\b|this\b|that\b)([a-z]{3,})")
_WHOLE_PROMPT = frozenset(
    {"query", "question", "prompt", "text", "input", "message", "content", "request", "q"}
)
_FORMATS = {
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"),
    "date": re.compile(r"\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b"),
    "uri": re.compile(r"\bhttps?://[\w./%-]+\w"),
    "uuid": re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
}
_SOME = {
    "email": "simulator@example.com",
    "idn-email": "simulator@example.com",
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "uri": "https://example.com/simulated",
    "url": "https://example.com/simulated",
    "iri": "https://example.com/simulated",
    "uri-reference": "/simulated",
    "iri-reference": "/simulated",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/simulated",
    "relative-json-pointer": "0",
    "uri-template": "/simulated/{id}",
    "regex": "simulated",
}


@dataclass(slots=True)
class Hints:
    """What one prompt offers; each number is given away once, in the prompt's order."""

    prompt: str
    _numbers: list[float] = field(init=False)
    _names: list[str] | None = field(init=False, default=None)
    _lowered: str = field(init=False)

    def __post_init__(self) -> None:
        self._lowered = self.prompt.lower()
        self._numbers = [float(each) for each in _NUMBER.findall(self.prompt) if len(each) < 16]

    def numbers(self) -> Sequence[float]:
        """Return the numbers not used yet."""
        return self._numbers

    def use(self, number: float) -> None:
        """Do not offer it again."""
        self._numbers.remove(number)

    def names(self) -> Sequence[str]:
        """Return the capitalised words of the prompt, those after words like "in" first."""
        if self._names is None:
            found = [*_AFTER_PLACE_WORD.findall(self.prompt), *_NAME.findall(self.prompt)]
            cleaned = (_without_sentence_start(each) for each in found)
            lower = _LOWER_AFTER_IN.findall(self.prompt)
            names = [*filter(None, cleaned), *(each.capitalize() for each in lower)]
            self._names = list(dict.fromkeys(names))
        return self._names

    def mentions(self, word: str) -> bool:
        """Whether the prompt says the word."""
        if not word or word.lower() not in self._lowered:
            return False
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.prompt, re.IGNORECASE) is not None

    def formatted(self, wanted: str) -> str | None:
        """Return a string of this JSON Schema format, the prompt's own if it has one; None if unknown."""
        found = _FORMATS[wanted].search(self.prompt) if wanted in _FORMATS else None
        return found.group() if found else _SOME.get(wanted)

    def phrase(self, name: str, nth: int = 0) -> str:
        """Return a fitting string for a property of this name."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        if words in _WHOLE_PROMPT and self.prompt:
            return self.prompt[:500]
        said = self._said_of(words)
        if said:
            return said
        if WORDS.named_things & {words, words.rpartition("_")[2]}:
            names = self.names()
            if nth < len(names):
                return names[nth]
        return f"simulated {words.replace('_', ' ') or 'value'}"

    def _said_of(self, words: str) -> str | None:
        """Return what follows "words is" or "words:"; compiles nothing for the many that never occur."""
        if not words or words.partition("_")[0] not in self._lowered:
            return None
        spoken = re.escape(words).replace("_", "[ _-]")
        value = r"[\"']?([^\"'.,;!?\n]{1,60})"
        found = re.search(rf"\b{spoken}\s*(?:is|are|=|:)[:\s]*{value}", self.prompt, re.IGNORECASE)
        return found.group(1).strip() or None if found else None


def _without_sentence_start(name: str) -> str:
    words = name.split()
    while words and words[0].split("'")[0] in WORDS.sentence_starts:
        words.pop(0)
    return " ".join(words)
