"""What one watcher costs and gets: time from model to watcher, AWS calls a second, and memory."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.bench.listening import Heard, listen
from tests.bench.model import Pace, clock
from tests.bench.processes import Used
from tests.bench.report import Report, Table
from tests.bench.service import STREAM, WORKER, NotInTime, Service, body, headers, serving
from tests.bench.spent import Spent

_SILENCE = Pace(words=1000, first=14)
_WAITING, _FLOWING = (4.0, 12.0), (15.0, 25.0)
"""Seconds of the stream in which nothing comes, the first hurry being over, and in which text does."""

_MEGABYTES_OF_A_CORE = 1769
"""Lambda gives a function with this much memory one processor."""


def measure() -> Report:
    """Watch one answer whose model is silent at first, with nothing beside it."""
    with clock() as model_url, serving(executions=1, model_url=model_url) as service:
        _listen(service, Pace(words=2))
        began = Used.by(service.pid(STREAM))
        service.stack.reset_calls()
        with ThreadPoolExecutor(1) as thread:
            started = time.monotonic()
            listening = thread.submit(_listen, service, _SILENCE)
            waiting = _between(service, started, *_WAITING)
            flowing = _between(service, started, *_FLOWING)
            heard = listening.result()
        moto = Spent.so_far(service.stack)
        used = Used.by(service.pid(STREAM))
    return Report(name="watch", tables=[_lags(heard, moto), _reads(waiting, flowing), _memory(began, used)])


def _listen(service: Service, pace: Pace) -> Heard:
    (heard,) = listen(service.stack.url, headers(), [body(pace.words, model=pace.model)])
    if heard.ended != "response.completed":
        raise NotInTime("the stream has not come to its end")
    return heard


def _between(service: Service, started: float, first: float, last: float) -> tuple[Spent, float]:
    """Return what the stream's function spends between two moments of the stream, and how long that was."""
    time.sleep(max(0.0, started + first - time.monotonic()))
    before, began = Spent.so_far(service.stack, STREAM), time.monotonic()
    time.sleep(max(0.0, started + last - time.monotonic()))
    return Spent.so_far(service.stack, STREAM).since(before), time.monotonic() - began


def quantiles(seconds: Sequence[float]) -> tuple[int, int, int]:
    """Return the middle, the 95th percentile and the most, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return round(1000 * cuts[9]), round(1000 * cuts[18]), round(1000 * max(seconds))


def _lags(heard: Heard, spent: Spent) -> Table:
    worker, stream = (
        Spent([call for call in spent.calls if call["caller"] == who]) for who in (WORKER, STREAM)
    )
    append = worker.seconds_of("PutItem") / worker.count_of("PutItem")
    tail = stream.seconds_of("Query") / stream.count_of("Query")
    share = (append + tail) / statistics.mean(heard.lags)
    return Table(
        title="From model to watcher: every word of one watched answer; milliseconds",
        columns=["words", "p50", "p95", "most", "moto"],
        rows=[[len(heard.lags), *quantiles(heard.lags), f"{share:.0%}"]],
        notes=[
            f"{_SILENCE.per_second:g} words a second over HTTP, each the moment at which the model sent it. "
            "moto: the share of the mean in one append and one reading.",
        ],
    )


def _reads(waiting: tuple[Spent, float], flowing: tuple[Spent, float]) -> Table:
    return Table(
        title="AWS calls of one watcher, a second",
        columns=["while", "reads", "read units", "writes", "write units"],
        rows=[
            [
                name,
                spent.count_of("Query") / seconds,
                spent.read_units / seconds,
                (spent.count - spent.count_of("Query")) / seconds,
                spent.write_units / seconds,
            ]
            for name, (spent, seconds) in (("the model is silent", waiting), ("text flows", flowing))
        ],
        notes=["Writes: a watch is renewed every 20 s, its own item and the response's lease."],
    )


def _memory(began: Used, used: Used) -> Table:
    return Table(
        title="The stream's process; megabytes",
        columns=["resident after its first stream", "peak", "processor / length of the stream"],
        rows=[
            [
                round(began.now),
                round(used.peak),
                f"{(used.seconds - began.seconds) / _SILENCE.seconds:.1%}",
            ]
        ],
        notes=[
            "One watcher, as on Lambda, which gives every request a process of its own; there the adapter is "
            "added. Only Linux tells.",
        ],
    )


def lambda_memory(share: float) -> int:
    """Return the megabytes of a Lambda function that has so much of a processor."""
    return round(share * _MEGABYTES_OF_A_CORE)
