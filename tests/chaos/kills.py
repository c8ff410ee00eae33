"""Kill workers at random moments while responses run, then hold every history to the rules."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openai import OpenAI

from infra.local.client import LocalStack
from meanwhile.domain.request import Request
from meanwhile.providers.simulator import text_of
from tests.support.histories import answer_of, broken_rules, given_up_in, tries_of
from tests.support.opened import history_of

_ENDED = {"completed", "failed", "cancelled", "incomplete"}
_PROMPTS = ("Write {words} words about a lighthouse.", "In {words} words, describe a market.")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much, how often, and with which settings; said before the run."""

    responses: int
    kills: int
    seed: int
    model: str = "simulator"
    lease_seconds: float = 3
    heartbeat_seconds: float = 1
    resend_seconds: float = 3
    sweep_seconds: float = 2
    processes: int = 8
    between_accepts: tuple[float, float] = (0.2, 0.9)
    between_kills: tuple[float, float] = (0.4, 1.8)
    limit_seconds: float = 420


@dataclass(slots=True)
class Outcome:
    """What was seen."""

    plan: Plan
    killed_at: list[float] = field(default_factory=list)
    recovered_after: list[float] = field(default_factory=list)
    """Seconds from a kill to the next claim of each response that it hit."""
    claims: int = 0
    given_up: int = 0
    tries: list[int] = field(default_factory=list)
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
        killer = threading.Thread(target=_kill, args=(stack, plan, outcome))
        killer.start()
        asked = _ask(stack, plan)
        killer.join()
        _wait(stack, asked, began + plan.limit_seconds)
        _judge(stack, plan, asked, outcome)
        claims.read()
        outcome.claims = len(claims.seen)
        outcome.recovered_after = list(_recoveries(claims.seen, outcome.killed_at))
    outcome.seconds = time.monotonic() - began
    return outcome


def _ask(stack: LocalStack, plan: Plan) -> dict[str, str]:
    """Accept responses at random moments, one after the other; return the expected text by id."""
    client = OpenAI(base_url=stack.url, api_key="sk-local")
    lengths = random.Random(plan.seed)  # noqa: S311  # repeatable, not secret
    asked = {}
    for number in range(plan.responses):
        prompt = _PROMPTS[number % len(_PROMPTS)].format(words=lengths.randrange(60, 200))
        made = client.responses.create(model=plan.model, input=prompt, background=True)
        asked[made.id] = _expected(prompt)
        time.sleep(lengths.uniform(*plan.between_accepts))
    return asked


def _expected(prompt: str) -> str:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
    return text_of(Request(model="simulator", input=[item], background=True))


def _kill(stack: LocalStack, plan: Plan, outcome: Outcome) -> None:
    """Kill one worker process after the other, each picked at random, at random intervals."""
    moments = random.Random(plan.seed + 1)  # noqa: S311  # repeatable, not secret
    deadline = time.monotonic() + plan.limit_seconds / 2
    while len(outcome.killed_at) < plan.kills and time.monotonic() < deadline:
        time.sleep(moments.uniform(*plan.between_kills))
        busy = [each["pid"] for each in stack.processes() if each["name"] == "WorkerFunction"]
        if busy:
            try:
                os.kill(moments.choice(busy), signal.SIGKILL)
            except ProcessLookupError:
                continue  # it had ended by itself
            outcome.killed_at.append(time.time())  # noqa: TID251  # beside the log's own times


def _wait(stack: LocalStack, asked: Iterable[str], deadline: float) -> None:
    """Wait until every head has ended; reads the table, so as not to flood the log with polls."""
    dynamodb, table = stack.boto("dynamodb"), stack.physical_id("ResponsesTable")
    waiting = list(asked)
    while waiting and time.monotonic() < deadline:
        response_id = waiting[0]
        key = {"response_id": {"S": response_id}, "part": {"S": "head"}}
        head = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        if head.get("status", {}).get("S") in _ENDED:
            waiting.pop(0)
        else:
            time.sleep(0.25)


def _judge(stack: LocalStack, plan: Plan, asked: dict[str, str], outcome: Outcome) -> None:
    """Hold what clients see, and what the log says, to the promises."""
    client = OpenAI(base_url=stack.url, api_key="sk-local")
    for response_id, expected in asked.items():
        history = history_of(stack, response_id)
        problems = broken_rules(history)
        seen = client.responses.retrieve(response_id)
        if seen.status != "completed":
            problems.append(f"status {seen.status}")
        if seen.output_text != expected:
            problems.append(f"{len(seen.output_text)} characters, the model wrote {len(expected)}")
        said = [item.model_dump(exclude_none=True) for item in seen.output]
        if plan.model == "simulator" and len(said) != 1:
            problems.append(f"{len(said)} messages: the model can go on with one")
        if [part["id"] for part in said] != [item.id for item in answer_of(response_id, history).items]:
            problems.append("output and log disagree")
        outcome.tries.append(tries_of(history))
        outcome.given_up += given_up_in(history)
        outcome.broken += [f"{response_id[:16]}…: {problem}" for problem in problems]


class _Claims:
    """When each response was claimed, from the worker's own log lines."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.seen: list[tuple[str, int, float]] = []

    def read(self) -> None:
        """Collect `(response id, epoch, seconds since 1970)` from the lines the stack has kept."""
        for line in self._stack.log:
            if '"message":"response claimed"' in line:
                said: dict[str, Any] = json.loads(line[line.index("{") :])
                at = datetime.strptime(said["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
                self.seen.append((said["response_id"], said["epoch"], at))


def _recoveries(claims: list[tuple[str, int, float]], killed_at: list[float]) -> Iterable[float]:
    """Yield, for each claim after the first, the seconds since the kill that made it necessary."""
    previous: dict[str, float] = {}
    for response_id, _, at in sorted(claims, key=lambda claim: claim[2]):
        if response_id in previous:
            kills = [kill for kill in killed_at if previous[response_id] <= kill <= at]
            if kills:
                yield at - kills[0]
        previous[response_id] = at
