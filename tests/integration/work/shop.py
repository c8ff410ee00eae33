"""Everything a worker stands in: a table, two queues, models that say what they were told to."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, TextDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.operations.accepting.accept import Accept
from meanwhile.operations.accepting.accept_once import AcceptOnce
from meanwhile.operations.responses.cancel import Cancel
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.queue import WorkMessage
from meanwhile.settings import Settings
from meanwhile.worker import work_with
from tests.support import aws
from tests.support.clock import Clock
from tests.support.compacting import compacting

OWNER = "ada"
DAY = 86_400
FAR, SOON = 30.0, 3.0
"""Seconds that an invocation has to live: the wall is a second before. No test waits for the far one."""
STOP = Finished(FinishReason.STOP)
SETTINGS = Settings(
    responses_table="",
    owner_keys_table="",
    api_keys_table="",
    threads_table="",
    bucket="",
    master_key="",
    work_queue_url="",
    solo_queue_url="",
    commit_watched_seconds=0,
    commit_unwatched_seconds=0,
    receive_wait_seconds=0,
    slots=8,
    wall_margin_seconds=1,
    take_margin_seconds=5,
)


class Models:
    """Each model is a list of what it says, one try after the other; `...` is silence, a call is made."""

    def __init__(self) -> None:
        self.says: dict[str, list[Sequence[Any]]] = {}
        self.asked: Counter[str] = Counter()
        self.beginnings: list[str] = []
        self.continuing: set[str] = set()
        """The models that go on from a beginning."""
        self.running = 0
        self.most_running = 0

    async def __call__(self, request: Request, beginning: Beginning) -> AsyncGenerator[ModelEvent, None]:
        self.beginnings.append(beginning.words)
        tries = self.says.get(request.model, [[TextDelta(f"{request.model} "), TextDelta("says hi."), STOP]])
        said = tries[min(self.asked[request.model], len(tries) - 1)]
        self.asked[request.model] += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for each in said:
                if isinstance(each, Exception):
                    raise each
                if each is ...:
                    await asyncio.Event().wait()
                elif isinstance(each, ModelEvent):
                    yield each
                else:
                    await asyncio.to_thread(each)
        finally:
            self.running -= 1


class Shop:
    """Real stores, real queues, real operations; a clock that is told the time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.table = aws.new_table()
        self.stores = aws.stores_on(self.table, inline_bytes=2000)
        self.queue, self.sqs = aws.new_queues()
        self.models = Models()
        self.ending = Ending(stores=self.stores, now=self.clock, unstored_retention_seconds=600)
        self.read = Read(stores=self.stores, ending=self.ending, now=self.clock)
        self.cancel = Cancel(read=self.read, ending=self.ending, now=self.clock)
        self.accept = Accept(
            stores=self.stores,
            queue=self.queue,
            now=self.clock,
            retention_seconds=30 * DAY,
            open_seconds=2 * DAY,
            resend_seconds=60,
            watch_seconds=40,
        )
        self.once = AcceptOnce(
            stores=self.stores,
            accept=self.accept,
            read=self.read,
            now=self.clock,
            key_seconds=DAY,
            trace_seconds=900,
            unstored_retention_seconds=600,
        )

    def ask(self, model: str, *says: Sequence[Any]) -> Head:
        """Accept a question to a model that says this, and leave its message in the queue."""
        if says:
            self.models.says[model] = list(says)
        return self.accept(OWNER, Request(model=model, input=[], background=True))

    def work(
        self, messages: Sequence[WorkMessage], *, until: float = FAR, **settings: Any
    ) -> list[WorkMessage]:
        """Run one invocation of the worker that has `until` seconds to live."""
        worker = work_with(
            replace(SETTINGS, **settings),
            stores=self.stores,
            ending=self.ending,
            queue=self.queue,
            ask=self.models,
            compact=compacting(self.models),
            continues=lambda model: model in self.models.continuing,
            now=self.clock,
        )
        return worker(messages, until=self.clock() + until)

    def taken(self, most: int = 10, *, solo: bool = False) -> list[WorkMessage]:
        """Take messages from a queue, as Lambda does for the worker."""
        found = self.sqs.receive_message(
            QueueUrl=self._url(solo=solo), MaxNumberOfMessages=most, VisibilityTimeout=0 if most == 0 else 60
        )
        return [WorkMessage.from_record(each, alone=solo) for each in found.get("Messages", [])]

    def waiting(self, *, solo: bool = False) -> int:
        """Return how many messages a queue holds, hidden and delayed ones included."""
        names = [f"ApproximateNumberOfMessages{more}" for more in ("", "NotVisible", "Delayed")]
        found = self.sqs.get_queue_attributes(QueueUrl=self._url(solo=solo), AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    def shown(self, head: Head) -> Any:
        """Return what its owner sees."""
        return self.read(OWNER, head.id)

    def text(self, head: Head) -> str:
        """Return the text that its owner sees."""
        parts = [part for item in self.shown(head)["output"] for part in item.get("content", ())]
        return "".join(part["text"] for part in parts)

    def died_over(self, head: Head) -> None:
        """Let a worker claim it and die."""
        now = self.clock()
        self.stores.leases.claim(head.id, now=now, until=now + 30, nonce=f"{now}", alone=True)
        self.clock.advance(31)

    def _url(self, *, solo: bool) -> str:
        return self.queue._url(alone=solo)


def meeting(parties: int) -> Callable[[], object]:
    """Return something to wait at until so many are there; who waits alone for five seconds fails."""
    return threading.Barrier(parties, timeout=5).wait
