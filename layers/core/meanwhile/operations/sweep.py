"""Sweep: find what a crash left behind, and see it to its end."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from meanwhile.domain.answer import fold
from meanwhile.domain.errors import LogCorrupt, ServiceError
from meanwhile.domain.log import facts_of
from meanwhile.domain.response import SHARDS, Ended, Head, Lease
from meanwhile.operations.ending import Ending, failed
from meanwhile.queue import WorkQueue
from meanwhile.storage.responses import Everything
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)

_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Looks at every open response whose time has come. The backstop of every promise made elsewhere."""

    stores: Stores
    ending: Ending
    queue: WorkQueue
    now: Callable[[], float]
    resend_seconds: float
    queue_deadline_seconds: float
    response_deadline_seconds: float
    max_attempts: int

    def __call__(self, *, until: float) -> int:
        """Look at what is due, until the clock says `until`; return how many were looked at."""
        seen: set[str] = set()
        for shard in map(str, range(SHARDS)):
            while self.now() < until:
                page = self.stores.responses.due(shard, now=self.now(), limit=_PAGE)
                # The index lags behind the table, so the same ids may come again: once is enough.
                new = [response_id for response_id in page if response_id not in seen]
                for response_id in new:
                    if self.now() >= until:
                        return len(seen)
                    seen.add(response_id)
                    self._look_after(response_id)
                if not new or len(page) < _PAGE:
                    break
        return len(seen)

    def _look_after(self, response_id: str) -> None:
        """Look at one; what is wrong with it must not keep the others waiting."""
        try:
            self._look_at(response_id)
        except ServiceError as error:
            logger.warning(
                "left for the next sweep",
                extra={"response_id": response_id, "error": type(error).__name__},
            )

    def _look_at(self, response_id: str) -> None:
        try:
            found = self.stores.responses.everything(response_id)
            if found is not None:
                self._see_to(found)
        except LogCorrupt:
            record = self.stores.responses.record(response_id)
            if record is not None and not record.head.deleted and not record.head.has_ended:
                self.ending.end_unreadable(record.head)

    def _see_to(self, found: Everything) -> None:
        head, now = found.record.head, self.now()
        if head.deleted or (head.has_ended and head.is_gone(now)) or found.record.request is None:
            self.stores.responses.bury(head, now=now)
            return
        if head.has_ended or (head.due_at or 0) > now:
            return  # the index has not caught up
        answer = fold(head.id, facts_of(found.batches), background=head.background)
        if answer.end is not None:
            self.ending.finish(head, answer)
        elif found.lease.is_live(now):
            due_at = int(found.lease.until + self.resend_seconds)
            self.stores.responses.postpone(head, due_at=due_at, resends=0)
        elif overdue := self._overdue(head, found.lease, now):
            self.ending.decide(head, overdue)
        else:
            self._send_again(head, found.lease, now)

    def _overdue(self, head: Head, lease: Lease, now: float) -> Ended | None:
        """Return the end of a response that nobody will finish any more."""
        first = lease.first_claimed_at
        if first is None and now >= head.created_at + self.queue_deadline_seconds:
            return failed("queue_deadline_exceeded", "No worker was free in time.", at=now)
        if first is not None and now >= first + self.response_deadline_seconds:
            return deadline_exceeded(at=now)
        if lease.attempts >= self.max_attempts:
            return attempts_exhausted(at=now)
        return None

    def _left(self, head: Head, lease: Lease, now: float) -> float:
        """Return how long a look at it can wait, now that it is not overdue."""
        if lease.first_claimed_at is not None:
            return lease.first_claimed_at + self.response_deadline_seconds - now
        in_queue = head.created_at + self.queue_deadline_seconds - now
        return min(in_queue, self.response_deadline_seconds)

    def _send_again(self, head: Head, lease: Lease, now: float) -> None:
        """Send it, and wait twice as long before the next time, so that a long queue is not flooded.

        Never longer than a response may be at work, and never beyond its own deadline.
        """
        self.queue.send(head.id, head.owner, alone=lease.attempts > 0)
        wait = min(self.resend_seconds * 2 ** (head.resends + 1), self._left(head, lease, now))
        self.stores.responses.postpone(head, due_at=ceil(now + wait), resends=head.resends + 1)
        logger.info("sent again", extra={"response_id": head.id, "resends": head.resends + 1})


def deadline_exceeded(*, at: float) -> Ended:
    """Return the end of a response that took longer than any may."""
    return failed("deadline_exceeded", "The response took longer than its deadline allows.", at=at)


def attempts_exhausted(*, at: float) -> Ended:
    """Return the end of a response over which too many workers died."""
    return failed("attempts_exhausted", "The response was interrupted too many times.", at=at)
