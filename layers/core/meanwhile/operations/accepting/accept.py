"""Accept: store the question, then ask for it to be worked on."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from meanwhile.domain.attempt import Trace
from meanwhile.domain.errors import ServiceError, Unavailable
from meanwhile.domain.ids import new_id
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.operations.threads.resolve import Resolve
from meanwhile.queue import WorkQueue
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Takes a request for its owner. Stored means accepted: whatever happens next, it will be answered."""

    stores: Stores
    queue: WorkQueue
    now: Callable[[], float]
    retention_seconds: float
    open_seconds: float
    """How long a response can be open at the longest: in the queue and at work."""
    resend_seconds: float
    watch_seconds: float
    """How long a response that was asked for as a stream counts as watched from the start."""
    resolve: Resolve | None = None
    """Finds the place in a thread of what continues one; without it nothing is continued."""

    def __call__(self, owner: str, request: Request, trace: Trace | None = None) -> Head:
        """Store and queue the request; return its head.

        Raises:
            InvalidRequest, ConversationNotFound: What it continues cannot be continued (see `Resolve`).
            Unavailable: It could not be stored. It may run all the same if only the answer was lost;
                the sweeper removes what is half written.
        """
        head, request = self.placed(self.head_of(owner, request), request)
        until = self.watched_until(head, request)
        with self.or_let_go(head):
            self.stores.responses.accept(head, request, trace, watched_until=until)
        self.send(head)
        return head

    def head_of(self, owner: str, request: Request) -> Head:
        """Return the head of a response that is accepted now, under a new id."""
        now = self.now()
        created = int(now)
        kept = self.retention_seconds if request.store else 0
        return Head(
            id=new_id("resp"),
            owner=owner,
            created_at=round(now, 3),
            background=request.background,
            store=request.store,
            expires_at=created + int(max(kept, self.open_seconds)),
            due_at=created + int(self.resend_seconds),
        )

    def placed(self, head: Head, request: Request) -> tuple[Head, Request]:
        """Return head and request with their place in a thread; no call for what continues nothing.

        Raises:
            InvalidRequest, ConversationNotFound: As above.
        """
        return self.resolve(head, request) if self.resolve is not None else (head, request)

    @contextmanager
    def or_let_go(self, head: Head) -> Iterator[None]:
        """Let its conversation go if the response cannot be stored; what stays locked is free in a minute."""
        try:
            yield
        except ServiceError:
            with suppress(Unavailable):
                self.let_go(head)
            raise

    def let_go(self, head: Head) -> None:
        """Let go of the conversation of a response that does not run after all."""
        if self.resolve is not None:
            self.resolve.undo(head)

    def watched_until(self, head: Head, request: Request) -> float:
        """Return until when a response that is accepted now counts as watched; 0 if it does not."""
        return head.created_at + self.watch_seconds if request.stream else 0

    def send(self, head: Head) -> None:
        """Ask for it to be worked on, now or by the next sweep."""
        try:
            self.queue.send(head.id, head.owner)
        except Unavailable:
            logger.warning("not queued; the sweeper will send it", extra={"response_id": head.id})
