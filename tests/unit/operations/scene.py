"""Everything around one response, over stores in memory: real operations, a clock that is told the time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import Unavailable
from meanwhile.domain.facts import Fact
from meanwhile.domain.log import facts_of
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, TextDelta, Usage
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.transcript import Transcript
from meanwhile.operations.accepting.accept import Accept
from meanwhile.operations.accepting.accept_once import AcceptOnce
from meanwhile.operations.context.build import Context
from meanwhile.operations.context.compact import Ask
from meanwhile.operations.responses.cancel import Cancel
from meanwhile.operations.responses.delete import Delete
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.overdue import Deadlines
from meanwhile.operations.responses.read import Read
from meanwhile.operations.running.claimed import Claim, Claimed
from meanwhile.operations.running.end_dead import EndDead
from meanwhile.operations.running.run import Run
from meanwhile.operations.running.sweep import Sweep
from meanwhile.queue import WorkMessage, WorkQueue
from meanwhile.storage.stores import Stores
from tests.support.clock import Clock
from tests.support.compacting import compacting
from tests.support.twin import twin_stores

OWNER = "ada"
LEASE, RESEND, KEPT, MINUTE, HOUR, DAY = 30, 60, 30 * 86_400, 60, 3600, 86_400
STOP = Finished(FinishReason.STOP, Usage(input_tokens=3, output_tokens=2))
HELLO: Sequence[ModelEvent] = [TextDelta("Hel"), TextDelta("lo"), STOP]


class Postbox(WorkQueue):
    """Remembers what was asked of it; may be out of order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bool]] = []
        self.delays: list[float] = []
        """Of everything that was sent, in the same order."""
        self.hidden: list[tuple[list[WorkMessage], float]] = []
        self.out_of_order = False

    def send(self, response_id: str, owner: str, *, alone: bool = False, delay: float = 0) -> None:
        self._check()
        self.sent.append((response_id, owner, alone))
        self.delays.append(delay)

    def hide(self, messages: Sequence[WorkMessage], *, seconds: float) -> None:
        self._check()
        self.hidden.append((list(messages), seconds))

    def _check(self) -> None:
        if self.out_of_order:
            raise Unavailable("the queue did not answer")


class Over:
    """Stands before a store, with some of its methods replaced."""

    def __init__(self, store: Any, **replaced: Callable[..., Any]) -> None:
        self._store, self._replaced = store, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._store, name)


class Script:
    """A provider that says what is written for it, one try after the other.

    `...` is silence for ever. A number is seconds that pass on the event loop's clock, by which deadlines go.
    """

    def __init__(self, *tries: Sequence[Any]) -> None:
        self.tries = tries
        self.asked = 0
        self.closed = 0
        self.beginnings: list[Beginning] = []
        self.requests: list[Request] = []

    async def __call__(self, request: Request, beginning: Beginning) -> AsyncGenerator[ModelEvent, None]:
        self.asked += 1
        self.requests.append(request)
        self.beginnings.append(beginning)
        try:
            for each in self.tries[self.asked - 1]:
                await asyncio.sleep(0)
                if isinstance(each, Exception):
                    raise each
                if each is ...:
                    await asyncio.Event().wait()
                if isinstance(each, int):
                    _let_pass(each)
                    continue
                yield each
        finally:
            self.closed += 1


def _let_pass(seconds: int) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]  # this test's own loop


class Scene:
    """The parts, wired as `wiring.py` does it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.queue = Postbox()
        self.continues = False
        """Whether models go on from a beginning."""
        self.use(twin_stores())

    def use(self, stores: Stores) -> None:
        """Put the operations over these stores."""
        self.stores = stores
        self.ending = Ending(stores=stores, now=self.clock, unstored_retention_seconds=10 * MINUTE)
        self.read = Read(stores=stores, ending=self.ending, now=self.clock)
        self.cancel = Cancel(read=self.read, ending=self.ending, now=self.clock)
        self.delete = Delete(stores=stores, read=self.read, now=self.clock)
        self.claim = Claim(
            stores=stores,
            ending=self.ending,
            now=self.clock,
            lease_seconds=LEASE,
            continues=lambda _: self.continues,
        )
        deadlines = Deadlines(in_queue=DAY, at_work=HOUR, max_attempts=4)
        self.end_dead = EndDead(stores=stores, ending=self.ending, now=self.clock, deadlines=deadlines)
        self.accept = Accept(
            stores=stores,
            queue=self.queue,
            now=self.clock,
            retention_seconds=KEPT,
            open_seconds=2 * DAY,
            resend_seconds=RESEND,
            watch_seconds=40,
        )
        self.once = AcceptOnce(
            stores=stores,
            accept=self.accept,
            read=self.read,
            now=self.clock,
            key_seconds=DAY,
            trace_seconds=15 * MINUTE,
            unstored_retention_seconds=10 * MINUTE,
        )
        self.sweeper = Sweep(
            stores=stores,
            ending=self.ending,
            queue=self.queue,
            now=self.clock,
            resend_seconds=RESEND,
            deadlines=deadlines,
        )

    def broken(self, store: str, **replaced: Callable[..., Any]) -> None:
        """Replace methods of one store."""
        self.use(replace(self.stores, **{store: cast("Any", Over(getattr(self.stores, store), **replaced))}))

    def sweep(self, after: float = 0) -> int:
        """Let time pass, then sweep."""
        self.clock.advance(after)
        return self.sweeper(until=self.clock() + 10)

    def accepted(self, *, background: bool = True, store: bool = True, **more: Any) -> Head:
        """Accept one request, and forget that it was queued."""
        said: dict[str, Any] = {"model": "simulator", "input": [], "background": background, "store": store}
        request = Request(**(said | more))
        head = self.accept(OWNER, request)
        self.queue.sent.clear()
        return head

    def claimed(self, head: Head) -> Claimed:
        """Claim and open."""
        claimed = self.claim(head.id, alone=True)
        claimed.open()
        return claimed

    def said(self, head: Head, *said: ModelEvent) -> Claimed:
        """Claim, and write what a model says."""
        claimed = self.claimed(head)
        transcript = Transcript(claimed.answer)
        for event in said:
            claimed.append(transcript.add(event, at=int(self.clock())))
        return claimed

    def ended(self, head: Head, status: Status = Status.COMPLETED, *, mended: bool = True) -> None:
        """End it; without `mended` somebody died between the log and the head."""
        if status is Status.COMPLETED:
            claimed = self.said(head, *HELLO)
            if mended:
                claimed.finish()
            return
        end = Ended(status=status, at=int(self.clock()), code="server_error", message="It broke.")
        self.ending.decide(head, end)

    def run(
        self,
        claimed: Claimed,
        ask: Ask,
        *,
        pause: float = 0,
        context: Context | None = None,
    ) -> None:
        """See a claimed response to its end."""
        run = Run(
            ask=ask,
            compact=compacting(ask),
            now=self.clock,
            response_deadline_seconds=HOUR,
            max_attempts=4,
            commit_watched_seconds=pause,
            commit_unwatched_seconds=pause,
            context=context,
        )
        asyncio.run(run(claimed))

    def facts(self, head: Head) -> list[Fact]:
        """Return the log."""
        return list(facts_of(self.stores.log.read(head)))

    def head(self, head: Head) -> Head:
        """Return the head as it is stored."""
        record = self.stores.responses.record(head.id)
        assert record is not None
        return record.head

    def shown(self, head: Head) -> Any:
        """Return what its owner sees."""
        return self.read(OWNER, head.id)

    def text(self, head: Head) -> str:
        """Return the text that its owner sees."""
        parts = [part for item in self.shown(head)["output"] for part in item.get("content", ())]
        return "".join(part["text"] for part in parts)
