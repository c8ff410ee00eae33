"""Accept: store the question, then ask for it to be worked on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.attempt import Trace
from meanwhile.domain.errors import Unavailable
from meanwhile.domain.ids import new_id
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
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

    def __call__(self, owner: str, request: Request, trace: Trace | None = None) -> Head:
        """Store and queue the request; return its head.

        Raises:
            Unavailable: It could not be stored. It may run all the same if only the answer was lost;
                the sweeper removes what is half written.
        """
        head = self.head_of(owner, request)
        until = self.watched_until(head, request)
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

    def watched_until(self, head: Head, request: Request) -> float:
        """Return until when a response that is accepted now counts as watched; 0 if it does not."""
        return head.created_at + self.watch_seconds if request.stream else 0

    def send(self, head: Head) -> None:
        """Ask for it to be worked on, now or by the next sweep."""
        try:
            self.queue.send(head.id, head.owner)
        except Unavailable:
            logger.warning("not queued; the sweeper will send it", extra={"response_id": head.id})
