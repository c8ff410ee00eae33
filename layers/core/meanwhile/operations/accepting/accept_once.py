"""Accept once: however often a request is sent, one response answers it.

With an idempotency key, the key is taken first, for the id that the response will have; then the response
is written where nothing of it is yet, all of it or none. Whoever comes with a key that is taken reads that
response, and writes it if nobody has: so a call that died between the two writes is completed, and a call
that was only slow finds its response there and touches nothing. The conversation that it runs in is locked
in between, for that very id: locking it again, for what repeats the call, is locking it once.

Without one, the response leaves a trace: what an SDK sends again a little later is led to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.attempt import (
    IDEMPOTENCY_KEY,
    Attempt,
    Taken,
    Trace,
    key_reused,
    used_for_another,
)
from meanwhile.domain.errors import InvalidRequest, LogCorrupt, RequestError, ResponseNotFound, Unavailable
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head, Status
from meanwhile.operations.accepting.accept import Accept
from meanwhile.operations.responses.read import Read
from meanwhile.storage.stores import Stores

_WITHOUT_ANSWER = {Status.CANCELLED, Status.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOnce:
    """Takes a request for its owner, unless a call before has taken it."""

    stores: Stores
    accept: Accept
    read: Read
    now: Callable[[], float]
    key_seconds: float
    """How long a key is remembered."""
    trace_seconds: float
    """How long an SDK's retry is led to what it repeats."""
    unstored_retention_seconds: float

    def __call__(self, owner: str, request: Request, attempt: Attempt) -> Taken:
        """Return the response that answers this request: two calls for a new one, three with a key.

        Raises:
            InvalidRequest: The key was used for another request, or for a response that is gone; or what it
                continues cannot be continued.
            ConversationNotFound: Not there, not theirs, or deleted.
            Unavailable: It could not be stored; with a key it is safe to try again.
            OwnerDeleted: The owner's key is destroyed.
        """
        if attempt.key is not None:
            return self._under(attempt.key, owner, request, attempt.digest)
        if attempt.repeats and (twin := self._twin(owner, attempt.digest)):
            return Taken(head=twin, replayed=True)
        trace = Trace(digest=attempt.digest, expires_at=int(self.now() + self.trace_seconds))
        return Taken(head=self.accept(owner, request, trace), replayed=False)

    def _twin(self, owner: str, digest: bytes) -> Head | None:
        """Return what the call before has made, if it is there, whole, and runs or has an answer.

        One that was cancelled or has failed is no answer: nobody can tell a retry of the call that made it
        from one of a later call, by somebody who asks again because of how it ended.
        """
        response_id = self.stores.marks.traced(owner, digest, now=self.now())
        if response_id is None:
            return None
        try:
            head = self.read.record(owner, response_id, result=False)[0].head
        except (ResponseNotFound, LogCorrupt):
            return None
        return None if head.status in _WITHOUT_ANSWER else head

    def _under(self, key: str, owner: str, request: Request, digest: bytes) -> Taken:
        head, now = self.accept.head_of(owner, request), self.now()
        keyed = self.stores.marks.take(
            owner,
            key,
            digest,
            response_id=head.id,
            now=now,
            until=min(now + self.key_seconds, head.expires_at),
        )
        if not keyed.same_request:
            raise used_for_another()
        if keyed.response_id != head.id:
            there = self._there(owner, keyed.response_id)
            if there is not None:
                return Taken(head=there, replayed=True)
            if not request.store and now >= keyed.created_at + self.unstored_retention_seconds:
                raise _gone()  # never written, or written, ended and forgotten: nobody can tell any more
            head = replace(head, id=keyed.response_id)
        return self._written(head, request)

    def _written(self, head: Head, request: Request) -> Taken:
        """Write a response under the id that its key has, unless another call under the key does so first."""
        try:
            placed, request = self.accept.placed(head, request)
        except RequestError:
            there = self._there(head.owner, head.id)
            if there is None:
                raise
            return Taken(
                head=there, replayed=True
            )  # another call has placed it; who is in its way came later
        until = self.accept.watched_until(placed, request)
        with self.accept.or_let_go(placed):
            is_written = self.stores.responses.accept_once(placed, request, watched_until=until)
        if is_written:
            self.accept.send(placed)
            return Taken(head=placed, replayed=False)
        there = self._there(head.owner, head.id)
        if there is None:
            raise Unavailable("somebody else is writing this response")
        if there.has_ended:
            self.accept.let_go(placed)  # it had before we locked
        return Taken(head=there, replayed=True)

    def _there(self, owner: str, response_id: str) -> Head | None:
        """Return the response that a key has made; `None` if it was never written.

        Raises:
            InvalidRequest: It was, and is gone.
        """
        record = self.stores.responses.record(response_id)
        if record is None:
            return None
        if record.head.owner != owner or record.head.is_gone(self.now()):
            raise _gone()
        return record.head if record.request is not None else None


def _gone() -> InvalidRequest:
    return key_reused(
        f"The response that this {IDEMPOTENCY_KEY} has made is gone. Use a new key to ask again."
    )
