"""What it costs to cancel, and what the worker still spends once that has been decided."""

import time

from tests.bench.report import Report, Table
from tests.bench.service import API, WORKER, Service, serving, until
from tests.bench.spent import COLUMNS, Spent

_TOKENS = 4000
_HEARTBEAT_SECONDS = 5
"""The template's default."""


def measure() -> Report:
    """Cancel twice, each time a response that runs: in a fresh process, then in a warm one."""
    with serving() as service:
        cold, cold_after, _ = _cancel(service)
        warm, warm_after, beats = _cancel(service)
    table = Table(
        title="Cancel: one POST /responses/{id}/cancel while it runs",
        columns=COLUMNS,
        rows=[
            *cold.rows(who="cold"),
            *warm.rows(who="warm"),
            *cold_after.rows(who="worker, after the 1st"),
            *warm_after.rows(who="worker, after the 2nd"),
        ],
        notes=[
            "cold: the first request of a fresh process. The worker hears of it with its next commit, or "
            "with its next heartbeat while the model is silent.",
            f"Its invocation ended {beats:.1f} heartbeats (of {_HEARTBEAT_SECONDS} s) after the 2nd cancel.",
        ],
    )
    return Report(name="cancel", tables=[table])


def _cancel(service: Service) -> tuple[Spent, Spent, float]:
    """Return what cancel cost, what the worker spent afterwards, and for how many heartbeats it ran on."""
    stack = service.stack
    cancelled = service.create(_TOKENS)
    until(lambda: bool(service.get(cancelled)["output"]), seconds=30)
    stack.reset_calls()
    service.cancel(cancelled)
    spent = Spent.so_far(stack, API)
    decided, before = time.perf_counter(), Spent.so_far(stack, WORKER)
    service.until_idle(1, seconds=_HEARTBEAT_SECONDS)
    beats = (time.perf_counter() - decided) / _HEARTBEAT_SECONDS
    return spent, Spent.so_far(stack, WORKER).since(before), beats
