"""Sweep threads: remove what is deleted or past its time, and what half-done writes have left."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from meanwhile.domain.errors import LogCorrupt, OwnerDeleted, ServiceError, named
from meanwhile.domain.response import SHARDS
from meanwhile.storage.stores import Threads
from meanwhile.storage.thread_burial import STRAYS_AFTER

logger = logging.getLogger(__name__)

_PAGE = 25
_PARTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepThreads:
    """Looks at every thread whose time has come. A long one is removed in steps, and others wait for none."""

    threads: Threads
    now: Callable[[], float]

    def __call__(self, *, until: float) -> int:
        """Look at what is due until the clock says `until`; return how many threads were looked at."""
        looked: set[str] = set()
        shards = [str(shard) for shard in range(SHARDS)]
        while shards and self.now() < until:
            shard = shards.pop(0)
            page = self.threads.heads.due(shard, now=self.now(), limit=_PAGE)
            again = False
            for thread in page:
                if self.now() >= until:
                    return len(looked)
                again |= self._look_after(thread)
            # The index lags behind the table: what was seen before and needs no more steps is left alone.
            if again or set(page) - looked:
                shards.append(shard)
            looked.update(page)
        return len(looked)

    def _look_after(self, thread: str) -> bool:
        """Look at one, which must not keep the others waiting; whether there is more to do at once."""
        try:
            return self._look_at(thread)
        except LogCorrupt as error:
            self._leave(thread, error)
            self._set_aside(thread)
        except ServiceError as error:
            self._leave(thread, error)
        return False

    def _leave(self, thread: str, error: ServiceError) -> None:
        logger.warning("left for a later sweep", extra={"thread_id": thread} | named(error))

    def _set_aside(self, thread: str) -> None:
        """Make room for what is due behind one that does not open, now or later."""
        now = self.now()
        with suppress(ServiceError):
            self.threads.heads.looked_at(thread, now=now, again_at=now + STRAYS_AFTER)

    def _look_at(self, thread: str) -> bool:
        now, heads = self.now(), self.threads.heads
        if heads.expire(thread, now=now) or self._is_deleted(thread, now):
            return not self.threads.burial.bury(thread, now=now, at_most=_PARTS_AT_ONCE)
        all_gone = self.threads.burial.remove_strays(thread, now=now)
        heads.looked_at(thread, now=now, again_at=None if all_gone else now + STRAYS_AFTER)
        return False

    def _is_deleted(self, thread: str, now: float) -> bool:
        """Whether a thread is deleted; one whose owner's key is destroyed is from here on."""
        try:
            return self.threads.heads.is_deleted(thread)
        except OwnerDeleted:
            self.threads.heads.mark_deleted(thread, now=now)
            return True
