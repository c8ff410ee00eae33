"""The one place of the local stack that reads the wall clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present, in UTC. Durations are measured with `time.monotonic`, never with this."""
    return datetime.now(UTC)  # noqa: TID251 - what AWS would stamp on an event: somebody must know the time


def now_ms() -> int:
    """Return milliseconds since 1970, as deadlines and events carry them."""
    return time.time_ns() // 1_000_000
