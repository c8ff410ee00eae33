"""Compaction over keys in memory: the real cipher, and no table of keys."""

import hashlib
from typing import Any, cast

from meanwhile.domain.request import Request
from meanwhile.domain.window import Window
from meanwhile.operations.context.choose import Measure
from meanwhile.operations.context.compact import Ask, Compact
from meanwhile.operations.context.expand import Expand
from meanwhile.storage.cipher import DataKey, Seal
from meanwhile.storage.compactions import Compactions
from meanwhile.storage.keyring import Keyring


class Keys:
    """Stands for the keyring: an owner's key follows from the name."""

    def seal(self, owner: str, subject: str) -> Seal:
        """Return what seals and opens the content of one subject."""
        return Seal(owner, subject, current=self._key, of=lambda owner, _: self._key(owner))

    @staticmethod
    def _key(owner: str) -> DataKey:
        return DataKey(1, hashlib.sha256(owner.encode()).digest())


BLIND = "blind"
"""A model that cannot see images, or read PDFs."""
EXPAND = Expand(Compactions(cast("Keyring", Keys())))


def words_of(request: Request) -> int:
    """Count words for tokens: what tests can count themselves."""
    return sum(len(str(part.get("text", "")).split()) for part in _parts(request))


def compacting(ask: Ask) -> Compact:
    """Return what compacts with this model, a word for a token."""

    def window(request: Request) -> Window:
        sees = request.model != BLIND
        return Window(tokens=10**6, answer=0, sees_images=sees, reads_files=sees)

    measure = Measure(
        window=window,
        at_most=lambda _: 10**6,
        count=words_of,
    )
    return Compact(ask=ask, expand=EXPAND, measure=measure)


def _parts(request: Request) -> list[Any]:
    return [part for item in request.input for part in item.get("content", ())]
