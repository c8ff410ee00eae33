"""What it costs to ask how far a response is: AWS calls, while it runs and after its end."""

import time
from collections.abc import Callable

from tests.bench.report import Report, Table, Target
from tests.bench.service import STREAM, TOKENS_PER_SECOND, NotInTime, Service, serving, until
from tests.bench.spent import COLUMNS, Spent

_TOKENS = 800
_POLLS = 10


def measure() -> Report:
    """Poll one response in a fresh process, while it runs, and after its end."""
    with serving() as service:
        polled = service.create(_TOKENS)
        until(lambda: _has_text(service, polled), seconds=30)
        killed = set(service.stack.kill(STREAM))
        until(lambda: not killed & _pids(service), seconds=5)
        cold, _ = _spent(service, lambda: service.get(polled), times=1)
        running, running_share = _spent(service, lambda: _get(service, polled, "in_progress"))
        service.until_idle(1, seconds=_TOKENS / TOKENS_PER_SECOND)
        ended, ended_share = _spent(service, lambda: _get(service, polled, "completed"))
    table = Table(
        title="Poll: one GET /responses/{id}",
        columns=COLUMNS,
        rows=[
            *cold.rows(who="running, cold"),
            *running.rows(per=_POLLS, who="running"),
            *ended.rows(per=_POLLS, who="ended"),
        ],
        notes=[
            f"{_TOKENS} tokens, prompt of 1 kB. cold: the first request of a fresh process.",
            f"moto's share of a poll's time: {running_share:.0%} running, {ended_share:.0%} ended.",
        ],
    )
    return Report(
        name="poll",
        tables=[table],
        targets=[
            Target(what="AWS calls per poll, running", value=running.count / _POLLS, limit=2),
            Target(what="AWS calls per poll, ended", value=ended.count / _POLLS, limit=1),
        ],
    )


def _spent(service: Service, poll: Callable[[], object], *, times: int = _POLLS) -> tuple[Spent, float]:
    """Poll some times; return what that cost, and moto's share of the time it took."""
    before = Spent.so_far(service.stack, STREAM)
    started = time.perf_counter()
    for _ in range(times):
        poll()
    took = time.perf_counter() - started
    spent = Spent.so_far(service.stack, STREAM).since(before)
    return spent, spent.moto_seconds / took


def _get(service: Service, response_id: str, status: str) -> None:
    found = service.get(response_id)["status"]
    if found != status:
        raise NotInTime(f"the response should have been {status} but was {found}")


def _has_text(service: Service, response_id: str) -> bool:
    return bool(service.get(response_id)["output"])


def _pids(service: Service) -> set[int]:
    return {process["pid"] for process in service.stack.processes()}
