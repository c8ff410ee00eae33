"""Puts together what looks after responses that nobody holds, once per process and when first needed."""

from functools import cache

from meanwhile import wiring
from meanwhile.operations.responses.overdue import Deadlines
from meanwhile.operations.running.end_dead import EndDead
from meanwhile.operations.running.sweep import Sweep
from meanwhile.operations.threads.sweep_threads import SweepThreads


@cache
def deadlines() -> Deadlines:
    """Return how long a response may take."""
    return Deadlines(
        in_queue=wiring.settings().queue_deadline_seconds,
        at_work=wiring.settings().response_deadline_seconds,
        max_attempts=wiring.settings().max_attempts,
    )


@cache
def sweep() -> Sweep:
    """Return the sweeper's work."""
    return Sweep(
        stores=wiring.stores(),
        ending=wiring.ending(),
        queue=wiring.queue(),
        now=wiring.now,
        resend_seconds=wiring.settings().resend_seconds,
        deadlines=deadlines(),
    )


@cache
def sweep_threads() -> SweepThreads:
    """Return the sweeper's work on threads."""
    return SweepThreads(threads=wiring.threads(), now=wiring.now)


@cache
def end_dead() -> EndDead:
    """Return what ends responses whose messages died."""
    return EndDead(stores=wiring.stores(), ending=wiring.ending(), now=wiring.now, deadlines=deadlines())
