"""The heartbeat: keeps every lease and every message of an invocation alive.

Whether a lease lives must not depend on what the work is doing: hence a thread of its own, which has a few
more for the length of a beat.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from meanwhile.domain.errors import ClaimLost, Unavailable
from meanwhile.operations.running.claimed import Claimed
from meanwhile.queue import WorkMessage, WorkQueue

logger = logging.getLogger(__name__)

_AT_ONCE = 8

VISIBILITY_MARGIN = 1
"""Seconds that a message stays hidden beyond its lease, so that a redelivery finds the lease expired."""


@dataclass(frozen=True, slots=True)
class _Held:
    claimed: Claimed
    message: WorkMessage
    lost: Callable[[], object]


class Heartbeat:
    """Renews what is held, every few seconds, until the `with` block ends and its thread with it."""

    def __init__(self, queue: WorkQueue, *, every: float, lease_seconds: float) -> None:
        self._queue = queue
        self._every = every
        self._hidden_for = lease_seconds + VISIBILITY_MARGIN
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def hold(self, claimed: Claimed, message: WorkMessage, *, lost: Callable[[], object]) -> None:
        """Keep a claim alive from the next beat on; the thread calls `lost` when it is not ours any more."""
        with self._lock:
            self._held[claimed.response_id] = _Held(claimed, message, lost)

    def release(self, claimed: Claimed) -> None:
        """Stop renewing a claim. A beat that is under way may still renew it once."""
        with self._lock:
            held = self._held.get(claimed.response_id)
            if held is not None and held.claimed is claimed:
                del self._held[claimed.response_id]

    def beat(self) -> None:
        """Renew every lease, some at the same time, and hide the messages of those that were renewed.

        One after the other, a few slow answers of AWS would cost every lease behind them.
        """
        held = self._snapshot()
        with ThreadPoolExecutor(min(_AT_ONCE, len(held)) or 1) as pool:
            renewed = [
                each.message for each, kept in zip(held, pool.map(self._renew, held), strict=True) if kept
            ]
        if renewed:
            try:
                self._queue.hide(renewed, seconds=self._hidden_for)
            except Unavailable:
                logger.warning("messages not hidden for longer", extra={"messages": len(renewed)})

    def _renew(self, held: _Held) -> bool:
        try:
            held.claimed.renew()
        except ClaimLost:
            self.release(held.claimed)
            held.lost()
            return False
        except Unavailable:
            if held.claimed.is_live():
                return True  # the next beat may get through
            self.release(held.claimed)
            held.lost()
            return False
        return True

    def _snapshot(self) -> list[_Held]:
        """Return what is held, the shortest lease first: if AWS is slow, it cannot wait for the others."""
        with self._lock:
            return sorted(self._held.values(), key=lambda held: held.claimed.lease.until)

    def _run(self) -> None:
        try:
            while not self._stopped.wait(self._every):
                self.beat()
        finally:
            if not self._stopped.is_set():
                # A bug ended this thread. Nobody renews any more, and the work must not go on as if.
                for held in self._snapshot():
                    held.lost()
