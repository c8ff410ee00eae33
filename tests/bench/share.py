"""How many responses one worker execution carries, at rates of accepts that do not wait for anything."""

import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.arrivals import arrive
from tests.bench.journal import Life, lives
from tests.bench.report import Cell, Report, Table
from tests.bench.service import (
    EVENT_SOURCE,
    STREAM,
    WORKER,
    NotInTime,
    Service,
    body,
    headers,
    serving,
    until,
)
from tests.bench.spent import Spent

RATES = (1, 5, 20)
"""Accepts a second."""

_EXECUTIONS = 5
"""The template's WorkerConcurrency; a local stack runs 4 unless told otherwise."""

_COMMIT_SECONDS = 5
"""Between two commits of an answer. At the setting's default of 1 moto would answer nothing else."""

_ARRIVING_SECONDS = 15
_MODEL, _TOKENS, _TOKENS_PER_SECOND = "simulator-slow", 50, 5
_ANSWER_SECONDS = _TOKENS / _TOKENS_PER_SECOND
_DRAIN_SECONDS = 60
_LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What came of one rate."""

    rate: int
    sent: int
    lives: Sequence[Life]
    worker: dict[str, Any]
    peak: int
    calls: dict[str, Spent]
    moto_seconds: float

    @property
    def moto_share(self) -> float:
        """Of one core, from the first accept to the last end."""
        first, last = min(life.accepted for life in self.lives), max(life.ended for life in self.lives)
        return self.moto_seconds / (last - first)

    @property
    def carried(self) -> float:
        """Responses per execution of the worker."""
        return len(self.lives) / max(1, int(self.worker["invocations"]))

    @property
    def billed(self) -> float:
        """Billed time per response, as a multiple of the model's own: one Lambda per answer has 1 at best."""
        milliseconds = int(self.worker["billed_ms"])
        return milliseconds / 1000 / max(1, len(self.lives)) / _ANSWER_SECONDS


def measure() -> Report:
    """Let requests arrive at each rate, one rate after another, in one stack."""
    with serving(executions=_EXECUTIONS, commit_unwatched_seconds=_COMMIT_SECONDS) as service:
        _warm(service)
        runs = [_run(service, rate) for rate in RATES]
    return Report(name="share", tables=[_executions(runs), _calls(runs), _lags(runs)])


def _warm(service: Service) -> None:
    """Start the processes that take the first request."""
    service.create(1, model="simulator-fast")
    service.until_idle(1, seconds=1)


def _run(service: Service, rate: int) -> _Run:
    stack = service.stack
    stack.reset_calls()
    before = set(lives(stack.log))
    with _Peak(service) as peak:
        asked = body(_TOKENS, model=_MODEL)
        count = rate * _ARRIVING_SECONDS
        arrivals = arrive(stack.url, headers(), asked, rate=rate, count=count)
        ids = {arrival.response_id for arrival in arrivals if arrival.response_id}
        with suppress(NotInTime):  # then the table shows how many are missing
            until(partial(_all_ended, service, ids), seconds=_DRAIN_SECONDS, every=_LOOK_EVERY_SECONDS)
        moto = stack.moto_seconds()
        with suppress(NotInTime):
            until(partial(_is_idle, service), seconds=_DRAIN_SECONDS)
    found = {response_id: life for response_id, life in lives(stack.log).items() if response_id not in before}
    return _Run(
        rate=rate,
        sent=count,
        lives=list(found.values()),
        worker=stack.invocations()[WORKER],
        peak=peak.most,
        calls={caller: Spent.so_far(stack, caller) for caller in (STREAM, WORKER, EVENT_SOURCE)},
        moto_seconds=moto,
    )


def _all_ended(service: Service, ids: set[str]) -> bool:
    return ids <= set(lives(service.stack.log))


def _is_idle(service: Service) -> bool:
    return not service.stack.invocations()[WORKER]["running"]


class _Peak:
    """Watches how many worker executions run at once."""

    def __init__(self, service: Service) -> None:
        self.most = 0
        self._service = service
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_SECONDS):
            self.most = max(self.most, self._service.stack.invocations()[WORKER]["running"])


def _executions(runs: Sequence[_Run]) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{run.rate}/s",
            run.sent,
            sum(life.status == "completed" for life in run.lives),
            run.worker["invocations"],
            run.worker["cold_starts"],
            run.peak,
            run.carried,
            run.worker["messages"] / max(1, run.worker["invocations"]),
            run.billed,
        ]
        for run in runs
    ]
    return Table(
        title="Sharing: responses carried per worker execution",
        columns=[
            "accepts",
            "sent",
            "completed",
            "executions",
            "cold",
            "most at once",
            "responses per execution",
            "delivered with it",
            "billed / model's time",
        ],
        rows=rows,
        notes=[
            f"Open loop for {_ARRIVING_SECONDS} s a rate; answers of {_ANSWER_SECONDS:g} s "
            f"({_MODEL}, {_TOKENS} tokens).",
            f"As in the template: at most {_EXECUTIONS} executions (WorkerConcurrency), each with 50 slots.",
            "delivered with it: messages from the event source; the worker took the others itself.",
            "billed / model's time: one Lambda per answer has 1 at best.",
            *map(_too_slow, filter(_is_incomplete, runs)),
        ],
    )


def _is_incomplete(run: _Run) -> bool:
    return len(run.lives) < run.sent


def _too_slow(run: _Run) -> str:
    missing = run.sent - len(run.lives)
    return (
        f"{run.rate}/s: this machine was too busy, {missing} had not ended {_DRAIN_SECONDS} s later; "
        "the row says nothing about the service."
    )


def _calls(runs: Sequence[_Run]) -> Table:
    return Table(
        title="Sharing: AWS calls per response",
        columns=["accepts", "accept", "worker: log and output", "receive", "other", "event source", "all"],
        rows=[[f"{run.rate}/s", *_calls_per_response(run)] for run in runs],
        notes=[
            f"Commits every {_COMMIT_SECONDS} s instead of every second, so that moto keeps up; "
            "the part `write` counts them as they are."
        ],
    )


def _calls_per_response(run: _Run) -> Iterator[Cell]:
    done = len(run.lives)
    puts, receives = (run.calls[WORKER].count_of(name) for name in ("PutItem", "ReceiveMessage"))
    other = run.calls[WORKER].count - puts - receives
    yield run.calls[STREAM].count / done
    yield from (puts / done, receives / done, other / done)
    yield run.calls[EVENT_SOURCE].count / done
    yield sum(spent.count for spent in run.calls.values()) / done


def _lags(runs: Sequence[_Run]) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{run.rate}/s",
            *_quantiles([life.waited for life in run.lives]),
            *_quantiles([life.worked - _ANSWER_SECONDS for life in run.lives]),
            max(life.claims for life in run.lives),
            f"{run.moto_share:.0%}",
        ]
        for run in runs
    ]
    return Table(
        title="Sharing: lag of an answer / the model's own time",
        columns=[
            "accepts",
            "until claimed, p50",
            "p95",
            "at work beyond, p50",
            "p95",
            "most claims of one",
            "moto's share of a core",
        ],
        rows=rows,
        notes=["until claimed includes cold starts; moto answers one request at a time."],
    )


def _quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the middle and the 95th percentile, each as a multiple of the model's own time."""
    cuts = statistics.quantiles(seconds, n=20)
    return cuts[9] / _ANSWER_SECONDS, cuts[18] / _ANSWER_SECONDS
