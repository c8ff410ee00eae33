"""What Lambda's SQS event source does: receive, invoke, delete what succeeded, leave the rest.

At most five receives wait at a time, and none while the function has no execution free; as many batches run
as the event source's own limit and the function's allow.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from infra.local.errors import NotSupported, Throttled
from infra.local.log import log
from infra.local.pool import Pool
from infra.local.queues import LONG_POLL_SECONDS, Message, Queues, record_of
from infra.local.resources import Resources, function_named_by
from infra.local.runtime import Result

_MAPPING = "AWS::Lambda::EventSourceMapping"
_RECEIVERS = 5
_BACK_OFF_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """One event source mapping of the template."""

    name: str
    function: str
    queue_arn: str
    queue_url: str
    batch_size: int
    window: float
    visibility: float
    """Seconds for which a received message is hidden; so long is a throttled batch tried again."""
    partial_failures: bool
    maximum: int | None
    """MaximumConcurrency: batches at once, whatever else the function is busy with."""


def event_sources_of(resources: Resources) -> list[EventSource]:
    """Read the event source mappings that are enabled.

    Raises:
        NotSupported: One does not read from a queue of this template, or filters.
    """
    queues = {resources.attribute(name, "Arn"): name for name in resources.present("AWS::SQS::Queue")}
    return [
        _event_source(resources, name, queues)
        for name in resources.present(_MAPPING)
        if resources.properties(name, "Enabled").get("Enabled", True) in (True, "true")
    ]


def _event_source(resources: Resources, name: str, queues: dict[str, str]) -> EventSource:
    given = resources.properties(name)
    arn = given.get("EventSourceArn")
    if arn not in queues:
        raise NotSupported(f"{name}: {arn} is no SQS queue of this template, and nothing else is polled here")
    queue = queues[arn]
    if given.get("FilterCriteria"):
        raise NotSupported(f"{name}: FilterCriteria are not applied on this machine")
    maximum = given.get("ScalingConfig", {}).get("MaximumConcurrency")
    return EventSource(
        name=name,
        function=function_named_by(given["FunctionName"]),
        queue_arn=arn,
        queue_url=resources.ref(queue),
        visibility=float(resources.properties(queue, "VisibilityTimeout").get("VisibilityTimeout", 30)),
        batch_size=int(given.get("BatchSize", 10)),
        window=float(given.get("MaximumBatchingWindowInSeconds", 0)),
        partial_failures="ReportBatchItemFailures" in given.get("FunctionResponseTypes", []),
        maximum=None if maximum is None else int(maximum),
    )


class Poller:
    """Feeds a function from a queue until it is cancelled."""

    def __init__(self, source: EventSource, pool: Pool, queues: Queues, limit: int) -> None:
        self._source = source
        self._pool = pool
        self._queues = queues
        self._limit = min(limit, pool.limit, source.maximum or limit)
        self._receiving = asyncio.Semaphore(_RECEIVERS)

    async def run(self) -> None:
        """Poll with as many loops as batches may run."""
        async with asyncio.TaskGroup() as loops:
            for _ in range(self._limit):
                loops.create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            try:
                async with self._receiving:
                    await self._pool.until_free()
                    messages = await self._receive()
                if messages:
                    await self._deliver(messages)
            except TimeoutError:
                continue  # nothing was free for as long as the messages are hidden, so they come back
            except httpx.HTTPError as error:
                log.line(f"poll {self._source.name} {type(error).__name__}")
                await asyncio.sleep(_BACK_OFF_SECONDS)

    async def _receive(self) -> list[Message]:
        source = self._source
        messages = await self._queues.receive(source.queue_url, source.batch_size, wait=LONG_POLL_SECONDS)
        deadline = time.monotonic() + source.window
        while messages and len(messages) < source.batch_size and (left := deadline - time.monotonic()) > 0:
            missing = source.batch_size - len(messages)
            messages += await self._queues.receive(source.queue_url, missing, wait=max(1, int(left)))
        return messages

    async def _deliver(self, messages: list[Message]) -> None:
        event = {"Records": [record_of(message, self._source.queue_arn) for message in messages]}
        result = await self._invoked(json.dumps(event).encode(), len(messages))
        failed = self._failed(result, {message["MessageId"] for message in messages})
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            await self._queues.delete(self._source.queue_url, done)

    async def _invoked(self, event: bytes, messages: int) -> Result:
        """Invoke; when somebody else took what was free, wait as long as the messages are hidden."""
        deadline = time.monotonic() + self._source.visibility
        while True:
            try:
                return await self._pool.invoke(event, messages=messages)
            except Throttled:
                await asyncio.wait_for(self._pool.until_free(), deadline - time.monotonic())

    def _failed(self, result: Result, ids: set[str]) -> set[str]:
        """Return the messages that stay in the queue; an answer that cannot be read means all of them."""
        if result.error is not None:
            return ids
        if not self._source.partial_failures:
            return set()
        try:
            answer: Any = json.loads(result.payload)
            named = {failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or []}
        except (ValueError, KeyError, TypeError, AttributeError):
            return ids
        return named if named <= ids else ids
