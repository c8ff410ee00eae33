"""Follow: a response's events from any point on, live or ended, from its log and nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from meanwhile.domain.errors import LogCorrupt, StreamDisplaced, StreamTimeLimit, Unavailable
from meanwhile.domain.events import Events
from meanwhile.domain.log import Batch
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.operations.responses.read import Read
from meanwhile.operations.responses.tail import AT_ONCE, Tail
from meanwhile.operations.responses.watch import Watch, Watches
from meanwhile.storage.stores import Stores

_AGAIN = 0.25
"""After a reading that came too early, the next follows in this part of the fast pause."""
_SLOWER = 1.2
"""While nothing comes, pauses grow by this: what ends a silence is noticed after a tenth of it or less."""
_PATIENCE = 30.0
"""Seconds for which the table may not answer before a stream gives up."""
_LASTING = 1.0
"""Seconds after which a stream counts as watching, even if it has had something to send all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Streams responses. A stream reads and never runs anything: who leaves, changes nothing."""

    stores: Stores
    read: Read
    watches: Watches
    clock: Callable[[], float]
    """Monotonic."""
    sleep: Callable[[float], Awaitable[None]]
    fast_seconds: float
    """Between a reading that found something and the next: a little less than a worker's commits are apart,
    so that readings fall in step with them and find each soon after it was made."""
    slow_seconds: float
    """The longest pause, reached bit by bit while nothing comes."""
    silence_seconds: float
    """How long a reader may hear nothing."""
    limit_seconds: float
    """How long a stream may take."""

    def __call__(
        self, head: Head, request: Request, *, after: int = -1, is_new: bool = False
    ) -> AsyncGenerator[Json | None, None]:
        """Yield the wire events behind number `after` until the response ends; `None` is a sign of life.

        `is_new` says that it was accepted for this stream, and so counts as watched already. Live and
        replayed events are the same. Memory is bounded by the answer and one reading of its log, however
        slowly what is yielded is taken.

        Raises:
            StreamTimeLimit, StreamDisplaced: The stream ends before its response, which goes on.
            ResponseNotFound: It was deleted meanwhile.
            LogCorrupt: Its log cannot be read.
            Unavailable: The table has not answered for half a minute.
        """
        return _Following(self, head, request, after, is_new=is_new).events()


class _Following:
    """One stream."""

    def __init__(self, follow: Follow, head: Head, request: Request, after: int, *, is_new: bool) -> None:
        self._follow = follow
        self._head = head
        self._is_new = is_new
        self._history = Events(head, request)
        self._tail = Tail(follow.stores.log, head)
        self._cursor = after
        """The number of the last event that was yielded."""
        self._again = follow.fast_seconds * _AGAIN
        """The pause behind a reading that finds nothing."""
        self._heard = self._began = follow.clock()
        self._watch: Watch | None = None
        self._renewed_at = self._renew_at = self._began
        self._failing_since: float | None = None
        self._head_had_ended = False

    async def events(self) -> AsyncGenerator[Json | None, None]:
        for event in self._history.opening():
            if event["sequence_number"] > self._cursor:
                yield self._told(event)
        try:
            while self._history.answer.end is None:
                batches = await self._read()
                for batch in batches or ():
                    for fact in batch.facts:
                        if self._history.next_seq <= self._cursor:
                            self._history.skip(fact)
                            continue
                        await self._attend(is_waiting=False)
                        yield self._told(self._history.tell(fact))
                if self._history.answer.end is not None:
                    return
                await self._attend(is_waiting=True)
                if batches is not None and len(batches) == AT_ONCE:
                    continue
                if self._follow.clock() >= self._heard + self._follow.silence_seconds:
                    self._heard = self._follow.clock()
                    await self._look_up()
                    yield None
                await self._rest(batches)
        finally:
            if self._watch is not None:
                # Also when the reader has left; not waited for longer than the reader waits.
                ending = asyncio.get_running_loop().run_in_executor(None, self._watch.end)
                await asyncio.shield(ending)

    def _told(self, event: Json) -> Json:
        self._cursor = event["sequence_number"]
        self._heard = self._follow.clock()
        return event

    async def _read(self) -> list[Batch] | None:
        """Return what the log has more; `None` if the table does not answer just now."""
        now = self._follow.clock()
        try:
            batches = await asyncio.to_thread(self._tail.read)
        except Unavailable:
            self._failing_since = now if self._failing_since is None else self._failing_since
            if now >= self._failing_since + _PATIENCE:
                raise
            return None
        self._failing_since = None
        return batches

    async def _attend(self, *, is_waiting: bool) -> None:
        """Keep to the time limit, and watch on: also between events, for a reader may take them slowly.

        What is sent within a moment, as most replays are, needs no place among those who watch.
        """
        now = self._follow.clock()
        if now >= self._began + self._follow.limit_seconds:
            raise StreamTimeLimit(self._cursor)
        if self._watch is None and not is_waiting and now < self._began + _LASTING:
            return
        if now >= self._renew_at:
            await self._watch_on()

    async def _watch_on(self) -> None:
        watches, now = self._follow.watches, self._follow.clock()
        try:
            if self._watch is None:
                self._watch = await asyncio.to_thread(watches.begin, self._head, is_known=self._is_new)
            elif not await asyncio.to_thread(self._watch.renew):
                if now < self._renewed_at + watches.seconds:
                    self._watch = None
                    raise StreamDisplaced(self._cursor)
                # It had expired: the reader took nothing for long. Who is back begins anew.
                self._watch = await asyncio.to_thread(watches.begin, self._head, is_known=False)
        except Unavailable:
            self._renew_at = now + 1  # unwatched it comes a little later: no reason to end
            return
        self._renewed_at, self._renew_at = now, now + watches.seconds / 2

    async def _look_up(self) -> None:
        """See what only the head says: that the response was deleted, or that its log cannot be read."""
        read = self._follow.read
        try:
            record, _ = await asyncio.to_thread(read.record, self._head.owner, self._head.id, result=False)
        except Unavailable:
            return
        if self._head_had_ended:
            raise LogCorrupt("the head has ended, and the log has not")
        self._head_had_ended = record.head.has_ended  # the log's own end may only have come after our reading

    async def _rest(self, batches: list[Batch] | None) -> None:
        follow = self._follow
        if batches:
            self._again = follow.fast_seconds * _AGAIN
            await follow.sleep(follow.fast_seconds)
        elif batches is None:
            await follow.sleep(max(1.0, follow.slow_seconds))
        else:
            await follow.sleep(self._again)
            self._again = min(self._again * _SLOWER, follow.slow_seconds)
