"""Overdue: when nobody will finish an open response any more, and how it ends then."""

from dataclasses import dataclass

from meanwhile.domain.response import Ended, Head, Lease
from meanwhile.operations.responses.ending import failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a response may take, and how often it may be tried. Seconds."""

    in_queue: float
    """From accepting it to its first claim. An outage does not fail what was never tried."""
    at_work: float
    """From its first claim on."""
    max_attempts: int

    def end_of(self, head: Head, lease: Lease, *, now: float) -> Ended | None:
        """Return how a response ends that nobody holds, if its time or its attempts are used up."""
        first = lease.first_claimed_at
        if first is None and now >= head.created_at + self.in_queue:
            return failed("queue_deadline_exceeded", "No worker was free in time.", at=now)
        if first is not None and now >= first + self.at_work:
            return deadline_exceeded(at=now)
        if lease.attempts >= self.max_attempts:
            return attempts_exhausted(at=now)
        return None

    def left(self, head: Head, lease: Lease, *, now: float) -> float:
        """Return how long a look at it can wait, if it is not overdue now."""
        if lease.first_claimed_at is not None:
            return lease.first_claimed_at + self.at_work - now
        return min(head.created_at + self.in_queue - now, self.at_work)


def deadline_exceeded(*, at: float) -> Ended:
    """Return the end of a response that took longer than any may."""
    return failed("deadline_exceeded", "The response took longer than its deadline allows.", at=at)


def attempts_exhausted(*, at: float) -> Ended:
    """Return the end of a response over which too many workers died."""
    return failed("attempts_exhausted", "The response was interrupted too many times.", at=at)


def interrupted(*, at: float) -> Ended:
    """Return the end of a foreground stream that has said words which nobody can go on from."""
    said = (
        "The answer broke off after its beginning had been streamed, and the model cannot go on from there."
    )
    return failed("interrupted", said, at=at)
