"""Schedules that fire: EventBridge rules and EventBridge Scheduler, rate() and a useful part of cron().

A rate first fires one period after the start, as a new rule does. cron() has six fields, of which year must
be `*`; lists, ranges and steps of numbers are understood, names of days and L, W and # are not.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.local.clock import now
from infra.local.errors import NotSupported, Throttled
from infra.local.log import log
from infra.local.options import ACCOUNT, REGION
from infra.local.pool import Pool
from infra.local.resources import Resources, function_named_by

_RULE, _SCHEDULE = "AWS::Events::Rule", "AWS::Scheduler::Schedule"
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) \*\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7))

NextWait = Callable[[datetime], float]
"""Given the present, the seconds until the next time."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One function that is invoked when its time comes."""

    name: str
    function: str
    next_wait: NextWait
    input: str | None

    async def run(self, pool: Pool) -> None:
        """Fire until cancelled. A firing does not wait for the one before it."""
        async with asyncio.TaskGroup() as firings:
            while True:
                await asyncio.sleep(self.next_wait(now()))
                firings.create_task(self._fire(pool))

    async def _fire(self, pool: Pool) -> None:
        event = self.input if self.input is not None else json.dumps(_event(self.name))
        try:
            await pool.invoke(event.encode())
        except Throttled:
            log.line(f"schedule {self.name} throttled")


def schedules_of(resources: Resources, every: float | None) -> list[Schedule]:
    """Read the enabled schedules; `every` (seconds) replaces the period of all rates.

    Raises:
        NotSupported: An expression, or a target, that this stack does not know.
    """
    found = []
    for name in resources.present(_RULE, _SCHEDULE):
        given = resources.properties(name)
        if "ScheduleExpression" not in given or given.get("State", "ENABLED") != "ENABLED":
            continue
        targets = given.get("Targets") or [given["Target"]]
        wait = next_wait(given["ScheduleExpression"], name, every)
        found += [_schedule(name, target, wait) for target in targets]
    return found


def next_wait(expression: str, name: str, every: float | None = None) -> NextWait:
    """Read a schedule expression."""
    if rate := _RATE.fullmatch(expression):
        period = every or int(rate[1]) * _SECONDS[rate[2]]
        return lambda _: period
    if cron := _CRON.fullmatch(expression):
        fields = [_values(text, *bounds, name) for text, bounds in zip(cron.groups(), _BOUNDS, strict=True)]
        return lambda moment: _until(fields, moment)
    raise NotSupported(
        f"{name}: {expression} is not understood on this machine (rate() and plain cron() are)"
    )


def _schedule(name: str, target: dict[str, Any], wait: NextWait) -> Schedule:
    if ":function:" not in target["Arn"]:
        raise NotSupported(f"{name}: its target {target['Arn']} is no function")
    return Schedule(name, function_named_by(target["Arn"]), wait, target.get("Input"))


def _values(text: str, low: int, high: int, name: str) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            begin = low if span in "*?" else int(first)
            end = high if span in "*?" or (step and not last) else int(last or first)
            values.update(range(begin, end + 1, int(step or 1)))
        except ValueError:
            raise NotSupported(
                f"{name}: {text} in a cron expression is not understood on this machine"
            ) from None
    return values


def _until(fields: list[set[int]], moment: datetime) -> float:
    """Return the seconds to the next fitting minute, or a day: then it is asked again."""
    minutes, hours, days, months, weekdays = fields
    candidate = moment.replace(second=0, microsecond=0)
    for _ in range(24 * 60):
        candidate += timedelta(minutes=1)
        weekday = candidate.isoweekday() % 7 + 1  # Sunday is 1
        if (
            candidate.minute in minutes
            and candidate.hour in hours
            and candidate.day in days
            and candidate.month in months
            and weekday in weekdays
        ):
            break
    return (candidate - moment).total_seconds()


def _event(rule: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"],
        "detail": {},
    }
