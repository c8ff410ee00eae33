"""Kill function processes at random moments while clients ask and read, then look for a broken promise."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openai import OpenAI

from infra.local.client import LocalStack
from meanwhile.domain.events import events
from meanwhile.domain.log import facts_of
from meanwhile.domain.request import Request
from meanwhile.providers.simulator import text_of
from tests.chaos.clients import Asked, Clients
from tests.support.histories import answer_of, broken_rules, given_up_in, tries_of
from tests.support.opened import stores_in

MODELS = ("simulator", "simulator-restarts")
"""One that goes on with what was written, and one that starts over."""

_WAYS = ("stream", "follow", "poll")
_PROMPTS = (
    "Write {words} words about lighthouse number {number}.",
    "In {words} words, describe market {number}.",
)
_WORDS = (60, 180)
"""At 80 tokens a second: answers of about one to three seconds."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much, how often, and with which settings; said before the run."""

    responses: int
    seed: int
    lease_seconds: float = 3
    heartbeat_seconds: float = 1
    resend_seconds: float = 3
    sweep_seconds: float = 2
    processes: int = 4
    clients: int = 24
    between_accepts: tuple[float, float] = (0.2, 0.6)
    between_kills: tuple[float, float] = (0.5, 3)
    limit_seconds: float = 900


@dataclass(slots=True)
class Outcome:
    """What was seen."""

    plan: Plan
    killed: list[tuple[str, float]] = field(default_factory=list)
    """Which function was hit, and when."""
    cut_off: Counter[str] = field(default_factory=Counter)
    recovered_after: list[float] = field(default_factory=list)
    """Seconds from the kill of a worker to the next claim of each response that it hit."""
    claims: int = 0
    given_up: int = 0
    tries: list[int] = field(default_factory=list)
    events: int = 0
    """That readers were sent."""
    broken: list[str] = field(default_factory=list)
    seconds: float = 0


def run(plan: Plan) -> Outcome:
    """Run the plan on a stack of its own."""
    outcome = Outcome(plan)
    began = time.monotonic()
    environment = {
        "LEASE_SECONDS": f"{plan.lease_seconds:g}",
        "HEARTBEAT_SECONDS": f"{plan.heartbeat_seconds:g}",
        "RESEND_SECONDS": f"{plan.resend_seconds:g}",
        "MAX_ATTEMPTS": "100",  # how often one may die is not the question here
    }
    with LocalStack(
        environment=environment, schedule_seconds=plan.sweep_seconds, max_concurrency=plan.processes
    ) as stack:
        claims = _Claims(stack)
        clients = Clients(stack.url, at_once=plan.clients, deadline=began + plan.limit_seconds)
        all_asked, over = threading.Event(), threading.Event()
        killer = threading.Thread(target=_kill, args=(stack, plan, outcome, all_asked))
        reader = threading.Thread(target=claims.read_until, args=(over,))
        killer.start()
        reader.start()
        _ask(clients, plan)
        all_asked.set()
        killer.join()
        clients.wait()
        outcome.cut_off = clients.cut_off
        _judge(stack, clients.asked, outcome)
        over.set()
        reader.join()
        claims.read()
        outcome.claims = len(claims.seen)
        workers = [at for name, at in outcome.killed if name == "WorkerFunction"]
        outcome.recovered_after = list(_recoveries(claims.seen, workers))
    outcome.seconds = time.monotonic() - began
    return outcome


def _ask(clients: Clients, plan: Plan) -> None:
    """Ask at random moments, one client after the other, without waiting for answers."""
    chance = random.Random(plan.seed)  # noqa: S311  # repeatable, not secret
    for number in range(plan.responses):
        prompt = chance.choice(_PROMPTS).format(words=chance.randrange(*_WORDS), number=number)
        clients.ask(Asked(prompt, model=MODELS[number % 2], how=_WAYS[number % 3]))
        time.sleep(chance.uniform(*plan.between_accepts))


def _expected(prompt: str) -> str:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
    return text_of(Request(model="simulator", input=[item], background=True))


def _kill(stack: LocalStack, plan: Plan, outcome: Outcome, all_asked: threading.Event) -> None:
    """Kill a process of a function, both picked at random, at random intervals, until all have asked."""
    chance = random.Random(plan.seed + 1)  # noqa: S311  # repeatable, not secret
    while not all_asked.wait(chance.uniform(*plan.between_kills)):
        running: dict[str, list[int]] = {}
        for each in stack.processes():
            running.setdefault(each["name"], []).append(each["pid"])
        if running:
            name = chance.choice(sorted(running))
            try:
                os.kill(chance.choice(running[name]), signal.SIGKILL)
            except ProcessLookupError:
                continue  # it had ended by itself
            outcome.killed.append((name, time.time()))  # noqa: TID251  # beside the log's own times


def _judge(stack: LocalStack, asked: Iterable[Asked], outcome: Outcome) -> None:
    """Hold what clients saw, what they see now, and what the log says, to the promises."""
    ids = Counter(each.response_id for each in asked)
    for response_id in _stored(stack) - set(ids):
        outcome.broken.append(
            f"{response_id[:16]}…: nobody asked for it, or it was asked for once and runs twice"
        )
    sdk = OpenAI(base_url=stack.url, api_key="sk-local")
    for each in asked:
        problems = [*each.problems]
        if not each.response_id or ids[each.response_id] > 1:
            problems.append("lost, or one response for two questions")
        else:
            problems += _judged(stack, sdk, each, outcome)
        outcome.events += len(each.events)
        outcome.broken += [f"{each.response_id[:16]}… ({each.how}): {problem}" for problem in problems]


def _judged(stack: LocalStack, sdk: OpenAI, asked: Asked, outcome: Outcome) -> Iterable[str]:
    """Yield what is wrong with one response."""
    found = stores_in(stack).responses.everything(asked.response_id)
    if found is None or found.request is None:
        yield "accepted, and not there"
        return
    seen = sdk.responses.retrieve(asked.response_id)
    expected = _expected(asked.prompt)
    if seen.status != "completed":
        yield f"status {seen.status}"
    if seen.output_text != expected:
        yield f"{len(seen.output_text)} characters, the model wrote {len(expected)}"
    if asked.model == MODELS[0] and len(seen.output) != 1:
        yield f"{len(seen.output)} messages, and the model can go on with one"
    if asked.how != "poll":
        told = list(events(found.head, found.request, facts_of(found.batches)))
        if [event["sequence_number"] for event in asked.events] != [*range(len(told))]:
            yield f"{len(asked.events)} events were read, of {len(told)}, with a gap or twice"
        elif [event["type"] for event in asked.events] != [event["type"] for event in told]:
            yield "a reader was told something else than the log says"
    yield from broken_rules(found.batches)
    said = [item.id for item in seen.output]
    if said != [item.id for item in answer_of(asked.response_id, found.batches).items]:
        yield "output and log disagree"
    outcome.tries.append(tries_of(found.batches))
    outcome.given_up += given_up_in(found.batches)


def _stored(stack: LocalStack) -> set[str]:
    pages = (
        stack.boto("dynamodb").get_paginator("scan").paginate(TableName=stack.physical_id("ResponsesTable"))
    )
    items = [item for page in pages for item in page["Items"]]
    return {item["response_id"]["S"] for item in items if item["part"]["S"] == "head"}


class _Claims:
    """When each response was claimed, from the worker's own log lines, of which the stack keeps the last."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.seen: set[tuple[str, int, float]] = set()
        """`(response id, epoch, seconds since 1970)`."""

    def read_until(self, over: threading.Event) -> None:
        """Collect them, every now and then."""
        while not over.wait(1):
            self.read()

    def read(self) -> None:
        """Collect what the stack has kept."""
        for line in self._stack.log:
            if '"message":"response claimed"' in line:
                said: dict[str, Any] = json.loads(line[line.index("{") :])
                at = datetime.strptime(said["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
                self.seen.add((said["response_id"], said["epoch"], at))


def _recoveries(claims: Iterable[tuple[str, int, float]], killed_at: list[float]) -> Iterable[float]:
    """Yield, for each claim after the first, the seconds since the kill that made it necessary."""
    previous: dict[str, float] = {}
    for response_id, _, at in sorted(claims, key=lambda claim: claim[2]):
        if response_id in previous:
            kills = [kill for kill in killed_at if previous[response_id] <= kill <= at]
            if kills:
                yield at - kills[0]
        previous[response_id] = at
