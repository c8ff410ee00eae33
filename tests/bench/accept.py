"""What it costs to accept a request: AWS calls, in a fresh process and in a warm one."""

import time

from tests.bench.report import Report, Table, Target
from tests.bench.service import STREAM, serving
from tests.bench.spent import COLUMNS, Spent

_ACCEPTS = 20


def measure() -> Report:
    """Accept once in a fresh process, then some more."""
    with serving() as service:
        service.create(1, model="simulator-fast")
        cold = Spent.so_far(service.stack, STREAM)
        service.until_idle(1, seconds=1)
        service.stack.reset_calls()
        started = time.perf_counter()
        for _ in range(_ACCEPTS):
            service.create(1, model="simulator-fast")
        took = time.perf_counter() - started
        warm = Spent.so_far(service.stack, STREAM)
        service.stack.reset_calls()
        for number in range(_ACCEPTS):
            service.create(1, model="simulator-fast", key=f"key-{number}")
        keyed = Spent.so_far(service.stack, STREAM)
        service.until_idle(1, seconds=5)
    share = warm.moto_seconds / took
    table = Table(
        title="Accept: one POST /responses, prompt of 1 kB",
        columns=COLUMNS,
        rows=[
            *cold.rows(who="cold"),
            *warm.rows(per=_ACCEPTS, who="warm"),
            *keyed.rows(per=_ACCEPTS, who="key"),
        ],
        notes=[
            f"cold: the first request of a fresh process. warm: mean of {_ACCEPTS}. "
            "key: the same, each with an idempotency key.",
            f"moto's share of the time that warm accepts took, one after the other: {share:.0%}.",
        ],
    )
    return Report(
        name="accept",
        tables=[table],
        targets=[
            Target(what="AWS calls to accept, warm", value=warm.count / _ACCEPTS, limit=2),
            Target(what="AWS calls to accept with a key, warm", value=keyed.count / _ACCEPTS, limit=3),
        ],
    )
