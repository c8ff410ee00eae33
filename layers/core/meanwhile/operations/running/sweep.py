"""Sweep: find what a crash left behind, and see it to its end."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

from meanwhile.domain.answer import fold
from meanwhile.domain.errors import LogCorrupt, OwnerDeleted, ServiceError
from meanwhile.domain.log import facts_of
from meanwhile.domain.response import SHARDS, Head, Lease
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.overdue import Deadlines
from meanwhile.queue import WorkQueue
from meanwhile.storage.responses import Everything
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)

_PAGE = 100
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Looks at every open response whose time has come. The backstop of every promise made elsewhere."""

    stores: Stores
    ending: Ending
    queue: WorkQueue
    now: Callable[[], float]
    resend_seconds: float
    deadlines: Deadlines

    def __call__(self, *, until: float) -> int:
        """Look at what is due, until the clock says `until`; return how many were looked at.

        The shards take turns, a page each, so that a flood in one keeps no other waiting.
        """
        seen: set[str] = set()
        shards = [str(shard) for shard in range(SHARDS)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while shards and self.now() < until:
                shard = shards.pop(0)
                page = self.stores.responses.due(shard, now=self.now(), limit=_PAGE)
                # The index lags behind the table, so the same ids may come again: once is enough.
                new = [response_id for response_id in page if response_id not in seen]
                seen.update(
                    response_id
                    for response_id, looked in pool.map(
                        lambda each: (each, self._look_after(each, until)), new
                    )
                    if looked
                )
                if new and len(page) == _PAGE:
                    shards.append(shard)
        return len(seen)

    def _look_after(self, response_id: str, until: float) -> bool:
        """Look at one; what is wrong with it must not keep the others waiting, now or in the next sweep."""
        if self.now() >= until:
            return False
        try:
            self._look_at(response_id)
        except ServiceError as error:
            logger.warning(
                "left for a later sweep",
                extra={"response_id": response_id, "error": type(error).__name__},
            )
            self._set_aside(response_id, error)
        return True

    def _look_at(self, response_id: str) -> None:
        found = self.stores.responses.everything(response_id, request=False)
        if found is None:
            return
        head, now = found.head, self.now()
        if head.deleted or (head.has_ended and head.is_gone(now)) or not found.is_whole:
            self.stores.responses.bury(head, now=now)
            return
        if head.has_ended or (head.due_at or 0) > now:
            return  # the index has not caught up
        self._see_to(found, now)

    def _see_to(self, found: Everything, now: float) -> None:
        """See to an open response that is due."""
        head, lease = found.head, found.lease
        answer = fold(head.id, facts_of(found.batches), background=head.background)
        if answer.end is not None:
            self.ending.finish(head, answer)
        elif lease.is_live(now):
            due_at = int(lease.until + self.resend_seconds)
            self.stores.responses.postpone(head, due_at=due_at, resends=0)
        elif overdue := self.deadlines.end_of(head, lease, now=now):
            self.ending.decide(head, overdue)
        else:
            self._send_again(head, lease, now)

    def _send_again(self, head: Head, lease: Lease, now: float) -> None:
        """Send it, and wait twice as long before the next time, so that a long queue is not flooded.

        Never longer than a response may be at work, and never beyond its own deadline. While its provider
        wants to be left alone, nobody could claim it: the message comes when somebody can.
        """
        delay = max(0, ceil(lease.not_before - now))
        self.queue.send(head.id, head.owner, alone=lease.runs_alone, delay=delay)
        doubled = self.resend_seconds * 2.0 ** min(head.resends + 1, 32)
        due_at = ceil(now + min(doubled, self.deadlines.left(head, lease, now=now)))
        self.stores.responses.postpone(head, due_at=due_at, resends=head.resends + 1)
        logger.info("sent again", extra={"response_id": head.id, "resends": head.resends + 1})

    def _set_aside(self, response_id: str, error: ServiceError) -> None:
        """Make room for what is due behind one that cannot be seen to; end it if it never will be."""
        try:
            head, now = self.stores.responses.head(response_id), self.now()
            if head is None:
                return
            if isinstance(error, OwnerDeleted):
                self.stores.responses.bury(head, now=now)
                return
            if head.deleted or head.has_ended:
                return
            lease = self.stores.leases.read(response_id) or Lease()
            is_over = not lease.is_live(now) and self.deadlines.end_of(head, lease, now=now) is not None
            if is_over and isinstance(error, LogCorrupt):
                self.ending.end_unreadable(head)
            else:
                due_at = ceil(now + self.resend_seconds)
                self.stores.responses.postpone(head, due_at=due_at, resends=head.resends)
        except ServiceError:
            logger.warning("not set aside either", extra={"response_id": response_id})
