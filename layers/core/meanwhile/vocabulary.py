"""The vocabularies by which models cut text into tokens: each read once, when first needed, never fetched.

tiktoken's own loader opens a connection when it misses a file, so the files are read here; the build puts
them where TIKTOKEN_CACHE_DIR points, under the names that tiktoken gives them (layers/dependencies).
"""

import base64
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from meanwhile.domain.errors import ServiceError

if TYPE_CHECKING:
    from tiktoken import Encoding

CountText = Callable[[str], int]


class VocabularyMissing(ServiceError):
    """The build has not put a vocabulary where it is looked for, or what is there is not it."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What tiktoken knows about one encoding without having loaded it."""

    file: str
    sha256: str
    pattern: str
    """How text is cut into words before words are cut into tokens."""


VOCABULARIES: Mapping[str, Vocabulary] = {
    "cl100k_base": Vocabulary(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    ),
    "o200k_base": Vocabulary(
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}


class Vocabularies:
    """Reads vocabularies from a folder; each costs up to half a second and 70 MB, once per process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = Lock()
        self._read: dict[str, Encoding] = {}

    @property
    def loaded(self) -> Set[str]:
        """The names of those that were read."""
        return self._read.keys()

    def counter(self, name: str) -> CountText:
        """Return what counts the tokens of a text, for a name in `VOCABULARIES`.

        Whatever looks like a special token counts as the text it is.

        Raises:
            VocabularyMissing: It is not in the folder.
        """
        with self._lock:
            if name not in self._read:
                self._read[name] = _encoding(name, self._folder)
        encoding = self._read[name]
        return lambda text: sum(len(encoding.encode_ordinary(piece)) for piece in pieces_of(text))

    def estimate(self, name: str, text: str) -> int:
        """Return about how many tokens a text has; without the vocabulary, one for every four bytes.

        For what is no more than an estimate anyway, and must not fail over a file.
        """
        try:
            return self.counter(name)(text)
        except VocabularyMissing:
            return math.ceil(len(text.encode(errors="replace")) / 4)


def _encoding(name: str, folder: str) -> "Encoding":
    vocabulary = VOCABULARIES[name]
    if not folder:
        raise VocabularyMissing("TIKTOKEN_CACHE_DIR is not set: nothing can be counted.")
    path = Path(folder, vocabulary.file)
    try:
        data = path.read_bytes()
    except OSError:
        raise VocabularyMissing(f"{name} is not at {path}: `make vocabulary` (or `make build`).") from None
    if hashlib.sha256(data).hexdigest() != vocabulary.sha256:
        raise VocabularyMissing(f"{path} is not {name}: remove it, then `make vocabulary` (or `make build`).")

    from tiktoken import Encoding  # only when something is counted

    lines = (line.split() for line in data.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    return Encoding(name, pat_str=vocabulary.pattern, mergeable_ranks=ranks, special_tokens={})


_LONGEST = 16_384
"""Characters cut at once. tiktoken panics at a million spaces, and slows down with the length of a word."""
_NEAR = 1_024
"""How far from the end of a piece a better place to cut is looked for."""


def pieces_of(text: str, longest: int = _LONGEST, near: int = _NEAR) -> Iterator[str]:
    """Cut a long text where a word begins: the tokens are the same, and the time grows with the length only.

    Where no word begins for long, it is cut anywhere, which may add a token or two.
    """
    start = 0
    while len(text) - start > longest:
        end = _cut(text, start + longest, near)
        yield text[start:end]
        start = end
    yield text[start:]


def _cut(text: str, end: int, near: int) -> int:
    """Return where a space follows what is none: with it begins a new word, in both vocabularies."""
    at = end
    while (at := text.rfind(" ", end - near, at)) != -1:
        if not text[at - 1].isspace():
            return at
    return end
