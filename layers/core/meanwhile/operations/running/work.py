"""Work: one invocation of the worker, many responses at a time."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum, auto
from math import ceil

from meanwhile.domain.errors import (
    ClaimLost,
    Gone,
    LeaseHeld,
    NotYet,
    OwnerDeleted,
    RunsAlone,
    Unavailable,
    named,
)
from meanwhile.operations.responses.ending import Ending, failed
from meanwhile.operations.running.claimed import Claim, Claimed
from meanwhile.operations.running.heartbeat import VISIBILITY_MARGIN, Heartbeat
from meanwhile.operations.running.run import PutDown, Run
from meanwhile.queue import MAX_DELAY, WorkMessage, WorkQueue

logger = logging.getLogger(__name__)

_SPARE_THREADS = 8
_AFTER_FAILED_RECEIVE = 1.0
_BACK_AFTER_FAULT = 5.0
_TAKEN_MARGIN = VISIBILITY_MARGIN + 3
"""A message that we take ourselves is hidden some time before its response is claimed."""
_WHOLE = 30.0
"""Seconds into an invocation up to which a claim has had all of it."""


class _Stop(Enum):
    LOST = auto()
    WALL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Runs responses until those it has are done; takes more while it has slots and minutes left."""

    claim: Claim
    run: Run
    ending: Ending
    queue: WorkQueue
    now: Callable[[], float]
    slots: int
    lease_seconds: float
    heartbeat_seconds: float
    wall_margin_seconds: float
    take_margin_seconds: float
    receive_wait_seconds: int

    def __call__(self, messages: Sequence[WorkMessage], *, until: float) -> list[WorkMessage]:
        """Run every response named, all at the same time, and what more can be taken.

        `until` is when the invocation will be killed. No thread outlives the call. Returns the messages
        that the queue should deliver again; those that are done with have been deleted.
        """
        return asyncio.run(_Shift(self, until).work_off(messages))


class _Shift:
    """One call of `Work`: what is running, and what has to come back."""

    def __init__(self, work: Work, until: float) -> None:
        self._work = work
        self._until = until
        self._began = work.now()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[asyncio.Task[None], _Stop | None] = {}
        self._again: list[WorkMessage] = []
        self._walled = False
        self._alone = False
        """A response on its second attempt or later is here: nothing else may run beside it."""
        self._first_claim = asyncio.Event()
        self._heartbeat = Heartbeat(
            work.queue, every=work.heartbeat_seconds, lease_seconds=work.lease_seconds
        )

    async def work_off(self, messages: Sequence[WorkMessage]) -> list[WorkMessage]:
        loop = asyncio.get_running_loop()
        # asyncio.run waits for this executor's threads before it returns.
        loop.set_default_executor(ThreadPoolExecutor(self._work.slots + _SPARE_THREADS))
        wall = self._until - self._work.wall_margin_seconds - self._work.now()
        loop.call_later(max(0.0, wall), self._meet_wall)
        with self._heartbeat:
            # One message has the invocation to itself so far, and so may be a second attempt.
            for message in messages:
                self._start(message, alone=len(messages) == 1, hidden=False)
            if messages:
                await self._first_claim.wait()
            await self._take_more()
            while self._tasks:
                await asyncio.wait(self._tasks)
        return self._again

    def _start(self, message: WorkMessage, *, alone: bool, hidden: bool) -> None:
        task = asyncio.create_task(self._serve(message, alone=alone, hidden=hidden))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, message))

    def _done(self, task: asyncio.Task[None], message: WorkMessage) -> None:
        self._tasks.discard(task)
        self._first_claim.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Its lease runs out by itself, and the delivery comes back; the others go on.
            self._again.append(message)
            logger.error(
                "a response could not be worked on",
                extra={"response_id": message.response_id} | named(error),
            )

    async def _take_more(self) -> None:
        """Receive further messages while anything runs: an execution that waits anyway can wait for many."""
        work = self._work
        last_chance = self._until - work.take_margin_seconds
        while self._tasks and not (self._alone or self._walled) and work.now() < last_chance:
            free = work.slots - len(self._tasks)
            if free <= 0:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                taken = await asyncio.to_thread(
                    work.queue.receive,
                    free,
                    visibility=work.lease_seconds + _TAKEN_MARGIN,
                    wait=work.receive_wait_seconds,
                )
            except Unavailable:
                await asyncio.sleep(_AFTER_FAILED_RECEIVE)
                continue
            for message in taken:
                self._start(message, alone=False, hidden=True)

    async def _serve(self, message: WorkMessage, *, alone: bool, hidden: bool) -> None:
        """See one delivery through: claim, run, and say what becomes of the message."""
        try:
            claimed = await asyncio.to_thread(self._work.claim, message.response_id, alone=alone)
        except (LeaseHeld, Gone):
            await self._forget(message)
        except NotYet as early:
            # A copy, or the only message that is left: in doubt it comes back.
            self._again.append(message)
            await self._hide(message, ceil(early.not_before - self._work.now()))
        except RunsAlone:
            await self._send_on(message)
        except Unavailable:
            # The claim may have been made, and its answer lost: then its lease has to run out.
            self._again.append(message)
            await self._hide(message, self._work.lease_seconds + VISIBILITY_MARGIN)
        else:
            self._alone = self._alone or claimed.lease.attempts > 1
            self._first_claim.set()
            if not hidden:
                await self._hide(message, self._work.lease_seconds + VISIBILITY_MARGIN)
            await self._run(claimed, message)

    async def _run(self, claimed: Claimed, message: WorkMessage) -> None:
        loop = asyncio.get_running_loop()
        call = asyncio.create_task(self._work.run(claimed))
        self._calls[call] = None
        self._heartbeat.hold(
            claimed, message, lost=lambda: loop.call_soon_threadsafe(self._stop, call, _Stop.LOST)
        )
        if self._walled:
            self._stop(call, _Stop.WALL)
        try:
            await call
        except asyncio.CancelledError:
            why = self._calls[call]
            if why is None:
                raise  # not one of ours: the invocation itself is being ended
            self._heartbeat.release(claimed)
            if why is _Stop.WALL:
                await self._meet(claimed, message)
            else:
                await self._let_go(claimed, message)
        except (Gone, OwnerDeleted):
            await self._forget(message)
        except ClaimLost:
            await self._let_go(claimed, message)
        except PutDown as down:
            self._heartbeat.release(claimed)
            await self._put_down(claimed, message, delay=down.delay)
        except Unavailable:
            self._heartbeat.release(claimed)
            await self._leave(claimed, message)
        else:
            await self._forget(message)
        finally:
            self._heartbeat.release(claimed)
            del self._calls[call]

    def _meet_wall(self) -> None:
        self._walled = True
        for call in self._calls:
            self._stop(call, _Stop.WALL)

    def _stop(self, call: asyncio.Task[None], why: _Stop) -> None:
        if call in self._calls and not call.done():
            self._calls[call] = self._calls[call] or why
            call.cancel()

    async def _meet(self, claimed: Claimed, message: WorkMessage) -> None:
        """Put down what is still running when the time ends; with a whole invocation, only the first time.

        The first time it goes back to the work queue, where new invocations begin just now; if it meets a
        wall again it is given an invocation to itself. What can be gone on with gets further each time, and
        may meet as many walls as its deadline allows.
        """
        met = claimed.is_fenced
        had_whole = claimed.claimed_at <= self._began + _WHOLE
        is_hopeless = met and had_whole and claimed.lease.walls > 0 and not claimed.goes_on()
        if is_hopeless and claimed.head is not None:
            end = failed(
                "model_call_too_long",
                "The model took longer than a worker may run, twice.",
                at=self._work.now(),
            )
            await asyncio.to_thread(self._work.ending.decide, claimed.head, end)
            await self._forget(message)
            return
        await self._put_down(claimed, message, met_wall=met)

    async def _put_down(
        self, claimed: Claimed, message: WorkMessage, *, met_wall: bool = False, delay: float = 0
    ) -> None:
        """Give the lease back, then send the response again."""
        delay = min(MAX_DELAY, int(delay))  # as long as the queue will hold its message back
        try:
            await asyncio.to_thread(claimed.give_back, met_wall=met_wall, delay=delay)
        except ClaimLost:
            await self._let_go(claimed, message)
            return
        given_back = replace(claimed.lease, attempts=claimed.lease.attempts - 1)
        if met_wall:
            given_back = replace(given_back, walls=given_back.walls + 1)
        await self._send_on(message, alone=given_back.runs_alone, delay=delay)
        if delay and claimed.head is not None:
            # The sweeper must not be quicker than the delay that the provider asked for.
            await asyncio.to_thread(self._work.ending.not_before, claimed.head, delay)

    async def _let_go(self, claimed: Claimed, message: WorkMessage) -> None:
        """Another claim has it, or it was ended elsewhere; only in that case is the message done with."""
        if await asyncio.to_thread(claimed.has_ended):
            await self._forget(message)
        else:
            self._again.append(message)

    async def _leave(self, claimed: Claimed, message: WorkMessage) -> None:
        """Make the response claimable at once, before its message comes back."""
        self._again.append(message)
        try:
            await asyncio.to_thread(claimed.give_back)
        except (ClaimLost, Unavailable):
            return  # then the lease has to run out
        await self._hide(message, _BACK_AFTER_FAULT)

    async def _send_on(self, message: WorkMessage, *, alone: bool = True, delay: float = 0) -> None:
        await asyncio.to_thread(
            self._work.queue.send, message.response_id, message.owner, alone=alone, delay=delay
        )
        await self._forget(message)

    async def _forget(self, message: WorkMessage) -> None:
        try:
            await asyncio.to_thread(self._work.queue.delete, message)
        except Unavailable:
            logger.info("not deleted; it will be dropped", extra={"response_id": message.response_id})

    async def _hide(self, message: WorkMessage, seconds: float) -> None:
        try:
            await asyncio.to_thread(self._work.queue.hide, [message], seconds=seconds)
        except Unavailable:
            logger.info("not hidden; the next beat will", extra={"response_id": message.response_id})
