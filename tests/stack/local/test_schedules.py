"""Schedules fire."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.local.errors import NotSupported
from infra.local.schedules import next_wait
from tests.support.waiting import eventually

FRIDAY = datetime(2026, 11, 20, 23, 58, 30, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["rule", "scheduler"])
def test_a_schedule_invokes_its_function_with_its_input(kind: str, noted: Callable[[str], Any]) -> None:
    """`Schedule` (EventBridge rules) and `ScheduleV2` (EventBridge Scheduler) alike."""
    eventually(lambda: kind in [tick["part"] for tick in noted("ticks")])


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(2 hours)", 7200),
        ("cron(* * * * ? *)", 30),
        ("cron(0/15 * * * ? *)", 90),
        ("cron(10 0,12 ? * 7 *)", 690),
        ("cron(5-9 0 * 11 ? *)", 390),
    ],
)
def test_the_next_time_of_an_expression(expression: str, seconds: float) -> None:
    """Seen from half past 23:58 on a Friday, UTC; Saturday is day 7."""
    assert next_wait(expression, "Rule")(FRIDAY) == seconds


@pytest.mark.parametrize(
    "expression", ["cron(0 0 L * ? *)", "cron(0 0 ? * MON *)", "at(2026-11-20T00:00:00)"]
)
def test_an_expression_that_is_not_understood_says_so(expression: str) -> None:
    """A schedule that never fires would be worse than none."""
    with pytest.raises(NotSupported, match=r"Rule: .* is not understood"):
        next_wait(expression, "Rule")
