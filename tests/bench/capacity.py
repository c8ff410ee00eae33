"""How much one worker process carries: fifty answers that nobody watches, then ten that are watched."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.arrivals import arrive
from tests.bench.journal import lives
from tests.bench.listening import listen
from tests.bench.model import Pace, Said, clock
from tests.bench.processes import Used
from tests.bench.report import Report, Table, Target
from tests.bench.service import STREAM, WORKER, NotInTime, Service, body, headers, serving, until
from tests.bench.watch import lambda_memory, quantiles

_PACE = Pace(words=1000)
_UNWATCHED, _WATCHED = 50, 10
_LATE_SECONDS = 60
_BEHIND = 0.1
"""Of the model's own time: a worker that is too slow is later with every word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What came of one load on one worker process."""

    name: str
    streams: int
    last: Sequence[float]
    """Seconds from each model's last word to the end of its response, stored or read."""
    lags: Sequence[float] = ()
    """Seconds from model to reader, of every word."""
    seconds: float
    before: Used
    worker: Used
    reading: float
    moto: float

    @property
    def share(self) -> float:
        """The worker's share of one core."""
        return (self.worker.seconds - self.before.seconds) / self.seconds

    @property
    def behind(self) -> float:
        """How late nearly every last word is, as a share of the model's own time."""
        return statistics.quantiles(self.last, n=20, method="inclusive")[18] / _PACE.seconds


def measure() -> Report:
    """Give one worker process both loads, one after the other, each in a stack of its own."""
    with clock() as model_url:
        runs = []
        for load in (_unwatched, _watched):
            with serving(executions=1, model_url=model_url) as service:
                listen(service.stack.url, headers(), [_body(Pace(words=2))] * 3)
                service.until_idle(1, seconds=5)
                service.stack.reset_calls()
                runs.append(load(service))
    return Report(
        name="capacity",
        tables=[_lateness(runs), _resources(runs)],
        targets=[
            Target(what=f"{run.name}: last word's lag / model's time, p95", value=run.behind, limit=_BEHIND)
            for run in runs
        ],
    )


def _body(pace: Pace) -> dict[str, object]:
    return body(pace.words, model=pace.model)


def _unwatched(service: Service) -> _Run:
    before, began = Used.by(service.pid(WORKER)), time.monotonic()
    known, reading = set(lives(service.stack.log)), Used.by(service.pid(STREAM)).seconds
    arrivals = arrive(service.stack.url, headers(), _body(_PACE), rate=_UNWATCHED, count=_UNWATCHED)
    ids = {arrival.response_id for arrival in arrivals}
    until(lambda: ids <= set(lives(service.stack.log)) - known, seconds=_PACE.seconds + _LATE_SECONDS)
    seconds, moto = time.monotonic() - began, service.stack.moto_seconds()
    worker = Used.by(service.pid(WORKER))
    reading = Used.by(service.pid(STREAM)).seconds - reading
    ended = lives(service.stack.log)
    return _Run(
        name=f"{_UNWATCHED} unwatched",
        streams=_UNWATCHED,
        last=[ended[each].ended - _said(service, each).words[-1] for each in ids],
        seconds=seconds,
        before=before,
        worker=worker,
        reading=reading / seconds,
        moto=moto / seconds,
    )


def _watched(service: Service) -> _Run:
    before, began = Used.by(service.pid(WORKER)), time.monotonic()
    reading = Used.by(service.pid(STREAM)).seconds
    found = listen(service.stack.url, headers(), [_body(_PACE)] * _WATCHED)
    seconds, moto = time.monotonic() - began, service.stack.moto_seconds()
    if any(heard.ended != "response.completed" for heard in found):
        raise NotInTime("a stream has not come to its end")
    return _Run(
        name=f"{_WATCHED} watched by {_WATCHED}",
        streams=_WATCHED,
        last=[heard.ended_at - heard.said.words[-1] for heard in found],
        lags=[lag for heard in found for lag in heard.lags],
        seconds=seconds,
        before=before,
        worker=Used.by(service.pid(WORKER)),
        reading=(Used.by(service.pid(STREAM)).seconds - reading) / seconds,
        moto=moto / seconds,
    )


def _said(service: Service, response_id: str) -> Said:
    (item,) = service.get(response_id)["output"]
    return Said.read(item["content"][0]["text"])


def _lateness(runs: Sequence[_Run]) -> Table:
    return Table(
        title="One worker process: how late the words are; milliseconds",
        columns=["streams", "last word, p50", "p95", "most", "every word, p50", "p95", "most"],
        rows=[
            [run.name, *quantiles(run.last), *(quantiles(run.lags) if run.lags else ("", "", ""))]
            for run in runs
        ],
        notes=[
            f"{_PACE.words:,} words each at {_PACE.per_second:g} a second, from a model behind HTTP.",
            "last word: until the response has ended in the table, or its reader has been told so. "
            "every word: until its reader has it.",
        ],
    )


def _resources(runs: Sequence[_Run]) -> Table:
    return Table(
        title="One worker process: what it takes",
        columns=[
            "streams",
            "worker, of a core",
            "per stream",
            "on Lambda, MB for that",
            "resident before, MB",
            "peak, MB",
            "per stream, MB",
            "readers' process, of a core",
            "moto, of a core",
        ],
        rows=[
            [
                run.name,
                f"{run.share:.0%}",
                f"{run.share / run.streams:.1%}",
                lambda_memory(run.share),
                round(run.before.now),
                round(run.worker.peak),
                max(0.0, run.worker.peak - run.before.now) / run.streams,
                f"{run.reading:.0%}",
                f"{run.moto:.0%}",
            ]
            for run in runs
        ],
        notes=[
            "on Lambda: the memory with which a function has so much of a processor, if it is like this one.",
            "readers' process: the stream function's, here one for all, there one for each reader.",
        ],
    )
