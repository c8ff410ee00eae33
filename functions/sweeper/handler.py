"""Finds what a crash left behind. Trigger: a schedule, every minute."""

from typing import Any

from meanwhile import sweeper, wiring
from meanwhile.observability import invocation_logged

_MARGIN = 5


@invocation_logged
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001  # the runtime's signature
    """Look at every open response whose time has come, then at threads, for as long as there is time."""
    until = wiring.now() + context.get_remaining_time_in_millis() / 1000 - _MARGIN
    looked_at = sweeper.sweep()(until=until)
    return {"looked_at": looked_at, "threads": sweeper.sweep_threads()(until=until)}
