"""Time to first text: what the service adds to the model's own, through real streams over HTTP."""

import statistics
import time
from collections.abc import Iterator, Sequence

from tests.bench.listening import Heard, listen
from tests.bench.model import Pace, clock
from tests.bench.report import Cell, Report, Table, Target
from tests.bench.service import EVENT_SOURCE, STREAM, WORKER, NotInTime, Service, body, headers, serving
from tests.bench.spent import Spent

_ALONE, _TOGETHER, _TIMES = 20, 10, 3
_PACE = Pace(words=2, per_second=4, first=0.2)
_REST_SECONDS = 0.4
"""Between two questions, and each time a little longer: the answers shall meet polls at all their phases."""

_ON_THE_WAY = (
    (STREAM, "BatchWriteItem", 1),
    (STREAM, "SendMessage", 1),
    (EVENT_SOURCE, "ReceiveMessage", 1),
    (WORKER, "UpdateItem", 1),
    (WORKER, "Query", 1),
    (WORKER, "PutItem", 2),
    (STREAM, "Query", 1),
)
"""The AWS calls that a first text waits for: accept, deliver, claim, read, fence, append, tail."""


def measure() -> Report:
    """Ask one at a time, then ten at once, of a worker that is awake already."""
    with clock() as model_url, serving(executions=1, model_url=model_url) as service:
        _ask(service, _TOGETHER)
        service.until_idle(1, seconds=5)
        service.stack.reset_calls()
        alone: list[Heard] = []
        for number in range(_ALONE):
            alone += _ask(service, 1)
            time.sleep(_REST_SECONDS * (1 + number / _ALONE))
        alone_moto = _moto_seconds(service)
        service.stack.reset_calls()
        together: list[Heard] = []
        for _ in range(_TIMES):
            together += _ask(service, _TOGETHER)
            time.sleep(_REST_SECONDS)
        together_moto = _moto_seconds(service)
    table = Table(
        title="Time to first text, added to the model's own; milliseconds",
        columns=[
            "asked",
            "streams",
            "p50",
            "p95",
            "until the model is asked, p50",
            "word to reader, p50",
            "moto",
        ],
        rows=[
            ["one at a time", *_row(alone, alone_moto)],
            [f"{_TOGETHER} at once", *_row(together, together_moto)],
        ],
        notes=[
            f"POST /responses with stream=true and a prompt of 1 kB; the model's first word takes "
            f"{_PACE.first:g} s and says when it was sent. The worker is warm.",
            f"moto: the share of the added time in the {sum(times for *_, times in _ON_THE_WAY)} AWS calls "
            "that a first text waits for. Calls of several at once wait for each other in it.",
        ],
    )
    p50 = statistics.median(heard.first_added for heard in alone)
    target = Target(what="first text added, one at a time, p50, ms", value=1000 * p50, limit=150)
    return Report(name="first", tables=[table], targets=[target])


def _ask(service: Service, streams: int) -> Sequence[Heard]:
    found = listen(service.stack.url, headers(), [body(_PACE.words, model=_PACE.model)] * streams)
    if any(heard.ended != "response.completed" for heard in found):
        raise NotInTime("a stream has not come to its end")
    return found


def _moto_seconds(service: Service) -> float:
    """Return how long moto takes for the calls on the way of one answer."""
    return sum(
        times * _mean(Spent.so_far(service.stack, caller), name) for caller, name, times in _ON_THE_WAY
    )


def _mean(spent: Spent, operation: str) -> float:
    return spent.seconds_of(operation) / max(1, spent.count_of(operation))


def _row(found: Sequence[Heard], moto: float) -> Iterator[Cell]:
    added = [heard.first_added for heard in found]
    yield len(found)
    yield round(1000 * statistics.median(added))
    yield round(1000 * statistics.quantiles(added, n=20, method="inclusive")[18])
    yield round(1000 * statistics.median(heard.before for heard in found))
    yield round(1000 * statistics.median(heard.after for heard in found))
    yield f"{moto / statistics.mean(added):.0%}"
