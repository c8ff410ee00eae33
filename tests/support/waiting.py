"""Waits for what other processes will do: the one place where tests of the stack let time pass."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.02


def eventually(look: Callable[[], T], *, within: float = 15, every: float = _PAUSE) -> T:
    """Return the first true answer of `look`; fail with the last one when none comes in time."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within} s; last seen: {found!r}"
        threading.Event().wait(every)
    return found
