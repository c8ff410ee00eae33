"""Authenticate: from an API key to who calls, with a short memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import NotAuthenticated
from meanwhile.domain.keys import ApiKey, Caller, hash_of, looks_like_a_key
from meanwhile.storage.api_keys import ApiKeys

_REMEMBERED = 1_000
_UNKNOWN_SECONDS = 5
"""How long an unknown key is remembered: whoever makes one should not have to wait for it."""


@dataclass(frozen=True, slots=True)
class _Found:
    key: ApiKey | None
    until: float


class Authenticate:
    """Looks keys up, and remembers for some seconds what it found. Safe to use from many threads.

    So long may a revoked key still open: the time counts from before the look, and only the clock of this
    process. Unknown keys are remembered apart, so that no flood of them pushes the known ones out.
    """

    def __init__(self, keys: ApiKeys, *, now: Callable[[], float], cache_seconds: float) -> None:
        self._keys = keys
        self._now = now
        self._cache_seconds = cache_seconds
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Found] = OrderedDict()
        self._unknown: OrderedDict[str, _Found] = OrderedDict()

    def __call__(self, key: str) -> Caller:
        """Return who calls with a key.

        Raises:
            NotAuthenticated: Nobody knows it, or it was revoked or has expired; which one is not said.
            Unavailable: It is not remembered, and the table did not answer.
        """
        found = self._find(hash_of(key)) if looks_like_a_key(key) else None
        if found is None or not found.is_good(self._now()):
            raise NotAuthenticated("Incorrect API key.")
        return Caller(found.owner, found.scopes)

    def _find(self, hashed: str) -> ApiKey | None:
        asked = self._now()
        with self._lock:
            for memory in (self._known, self._unknown):
                remembered = memory.get(hashed)
                if remembered is not None and asked < remembered.until:
                    memory.move_to_end(hashed)
                    return remembered.key
                memory.pop(hashed, None)
        found = self._keys.find(hashed)
        seconds = self._cache_seconds if found else min(_UNKNOWN_SECONDS, self._cache_seconds)
        memory = self._known if found else self._unknown
        with self._lock:
            memory[hashed] = _Found(found, asked + seconds)
            memory.move_to_end(hashed)
            if len(memory) > _REMEMBERED:
                memory.popitem(last=False)
        return found
