"""Waits for what must come true, instead of sleeping."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], within: float = 10) -> T:
    """Return the first true answer of `look`; fail when there is none in time."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within} s, last seen: {found!r}"
        threading.Event().wait(0.02)
    return found
