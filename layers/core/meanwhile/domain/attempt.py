"""How a request came: what says that it is the same one again."""

from dataclasses import dataclass

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.response import Head

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header's name, as errors name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call that wants a response made; of what was asked only a digest, which is never stored either."""

    digest: bytes
    """Of the JSON that was sent, however it was written: before anything is added to it here."""
    key: str | None = None
    """The caller's `Idempotency-Key`."""
    repeats: bool = False
    """Whether an SDK says that it has sent this before, and had no answer or a bad one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What an accepted request leaves behind, so that its SDK's retry finds the response."""

    digest: bytes
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """What stands under an idempotency key: which response it made, or is making."""

    response_id: str
    created_at: int
    same_request: bool
    """Whether it was put there for the request that looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a call makes of a conversation: where it will be, and which call it was that made it."""

    id: str
    """Under a key the same for whoever comes with it, and other for every owner; else new."""
    asked: str | None = None
    """A keyed hash of what is asked for; `None` without a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a request: the response that answers it."""

    head: Head
    replayed: bool
    """Whether an earlier call has made it."""


def key_reused(message: str) -> InvalidRequest:
    """Return the error for whoever sends a key again where that cannot mean the same."""
    return InvalidRequest(message, param=IDEMPOTENCY_KEY, code="idempotency_key_reused")


def used_for_another() -> InvalidRequest:
    """Return the error for a key that came with another request before."""
    return key_reused(f"This {IDEMPOTENCY_KEY} was used for another request. Use a new key for a new one.")
