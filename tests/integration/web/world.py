"""What stands around the app in these tests: a table, a queue, clients, and a worker played by hand."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import openai
import pytest
from botocore.exceptions import EndpointConnectionError

from meanwhile import api, wiring, worker
from meanwhile.domain.answer import Answer
from meanwhile.domain.facts import Fact, Started
from meanwhile.domain.log import tip_of
from meanwhile.domain.model_events import Finished, FinishReason, TextDelta, Usage
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.transcript import Transcript
from meanwhile.operations.context.compact import Compact
from meanwhile.web.app import app
from tests.support.clock import Clock

_LASTING = {wiring.items, wiring.stores, wiring.keyring, wiring.queue, wiring.aws_client}
"""Parts that hold a connection: making one takes longer than a test."""

_WIRED = [made for made in {**vars(wiring), **vars(api)}.values() if hasattr(made, "cache_clear")]


def forget_wiring(*, lasting: bool = False) -> None:
    """Make the next use of the parts build them anew, from the settings of then."""
    for made in _WIRED:
        if lasting or made not in _LASTING:
            made.cache_clear()


@dataclass
class Plan:
    """Something to do before an AWS call."""

    name: str
    do: Callable[[], object]
    left: int


def unreachable() -> None:
    """Fail as a call does whose connection is refused."""
    raise EndpointConnectionError(endpoint_url="https://aws.invalid")


@dataclass
class World:
    """What stands around the app."""

    env: pytest.MonkeyPatch
    table: str
    threads: str
    client: Any
    """Of DynamoDB."""
    calls: list[str] = field(default_factory=list)
    """Names of the AWS calls so far."""
    plans: list["Plan"] = field(default_factory=list)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def when(self, name: str, do: Callable[[], object], *, nth: int = 1) -> None:
        """Do something right before the nth AWS call of that name from now; raising makes the call fail."""
        with self._counting:
            self.plans.append(Plan(name, do, nth))

    def called(self, name: str) -> None:
        """Take note of an AWS call, and do what was planned for it."""
        with self._counting:
            self.calls.append(name)
            for plan in self.plans:
                plan.left -= plan.name == name
            due = [plan for plan in self.plans if plan.left == 0]
            self.plans = [plan for plan in self.plans if plan.left > 0]
        for plan in due:  # outside of the lock: what was planned makes calls itself
            plan.do()

    def only_id(self) -> str:
        """Return the id of the one response there is."""
        found: str
        (found,) = {item["response_id"]["S"] for item in self.items() if item["part"]["S"] == "head"}
        return found

    def set(self, **settings: object) -> None:
        """Change settings."""
        for name, value in settings.items():
            self.env.setenv(name.upper(), str(value))
        forget_wiring()

    def skip_pauses(self) -> None:
        """Let the pauses of streams pass at once, on a clock that nothing else moves."""
        follow, clock = api.follow, Clock()

        async def pause(seconds: float) -> None:
            await asyncio.sleep(0)
            clock.advance(seconds)

        self.env.setattr(api, "follow", lambda: replace(follow(), clock=clock, sleep=pause))

    def items(self) -> list[dict[str, Any]]:
        """Return all that is stored."""
        found: list[dict[str, Any]] = self.client.scan(TableName=self.table)["Items"]
        return found

    def thread_parts(self) -> list[dict[str, Any]]:
        """Return all that is stored of threads."""
        found: list[dict[str, Any]] = self.client.scan(TableName=self.threads)["Items"]
        return found

    def clear(self) -> None:
        """Remove all that is stored."""
        for item in self.items():
            key = {name: item[name] for name in ("response_id", "part")}
            self.client.delete_item(TableName=self.table, Key=key)
        for item in self.thread_parts():
            key = {name: item[name] for name in ("thread_id", "part")}
            self.client.delete_item(TableName=self.threads, Key=key)

    def start(self, response_id: str, *words: str) -> Transcript:
        """Do what a worker does until a few words are in the log."""
        head = self._head(response_id)
        transcript = Transcript(Answer(head.id, head.background))
        facts: list[Fact] = []
        if head.background:
            started = Started()
            transcript.answer.apply(started)
            facts.append(started)
        for word in words:
            facts += transcript.add(TextDelta(word), at=0)
        self._append(response_id, facts)
        return transcript

    def end(self, response_id: str) -> None:
        """Do what a worker does at the end of an answer that is in the log already."""
        head = self._head(response_id)
        wiring.ending().decide(head, Ended(status=Status.COMPLETED, at=int(wiring.now())))

    def finish(self, response_id: str, *words: str, mend: bool = True) -> None:
        """Do all that a worker does; without `mend` it dies before the head follows the log."""
        transcript = self.start(response_id, *words)
        usage = Usage(input_tokens=3, output_tokens=len(words))
        facts = transcript.add(Finished(FinishReason.STOP, usage), at=int(wiring.now()))
        self._append(response_id, facts)
        if mend:
            wiring.ending().finish(self._head(response_id), transcript.answer)

    def fail(self, response_id: str) -> None:
        """End it as failed."""
        end = Ended(status=Status.FAILED, at=int(wiring.now()), code="provider_error", message="It broke.")
        wiring.ending().decide(self._head(response_id), end)

    def work(self, response_id: str) -> None:
        """Do what a worker does, by the worker's own hand: ask the simulator, see it to its end."""
        made = worker.work_with(
            wiring.settings(),
            stores=wiring.stores(),
            ending=wiring.ending(),
            queue=wiring.queue(),
            ask=worker.ask(),
            compact=Compact(ask=worker.ask(), expand=wiring.expand(), measure=wiring.measure()),
            context=wiring.context(),
            continues=worker.providers().continues,
            now=wiring.now,
        )
        asyncio.run(made.run(made.claim(response_id, alone=True)))

    def _head(self, response_id: str) -> Head:
        record = wiring.stores().responses.record(response_id)
        assert record is not None
        return record.head

    def _append(self, response_id: str, facts: list[Fact]) -> None:
        head = self._head(response_id)
        tip = tip_of(wiring.stores().log.read(head))
        batch = tip.next(*facts, epoch=1, nonce=f"nonce-{tip.number}")
        wiring.stores().log.append(head, batch)


def client_of(owner: str = "local", **headers: str) -> httpx.AsyncClient:
    """Return a plain HTTP client with an owner's key."""
    key = "sk-local" if owner == "local" else f"sk-local-{owner}"
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"authorization": f"Bearer {key}", **headers},
        timeout=10,
    )


def sdk_of(key: str) -> Any:
    """Return the unmodified SDK with a key; `Any`, for its own types are stricter than its callers."""
    inside: Any = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    return openai.AsyncOpenAI(api_key=key, base_url="http://test", http_client=inside)
