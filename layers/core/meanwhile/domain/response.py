"""One response: where it stands, who holds it, and how it ended.

    queued ──► in_progress ──► completed
      │             ├────────► incomplete
      ├─────────────┼────────► failed
      └─────────────┴────────► cancelled

The log decides the status; the head only learns of the end. A foreground response (one whose caller
waits) is shown as `in_progress` from the start.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meanwhile.domain.model_events import Usage
from meanwhile.domain.request import Request

SHARDS = 4
"""Partitions of the index of open responses; enough for thousands of accepts a second."""


class Status(StrEnum):
    """The API's six words."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a response ended: the last fact of its log."""

    status: Status
    at: int
    """Seconds since 1970."""
    reason: str | None = None
    """Why it is incomplete: `max_output_tokens` or `content_filter`."""
    code: str | None = None
    message: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The small item that says whose a response is, until when it is kept, and how it ended.

    Times are seconds since 1970. `due_at` is when the sweeper should next look; `None` means never.
    """

    id: str
    owner: str
    created_at: float
    """To the millisecond, by which lists are in order; the API shows whole seconds."""
    background: bool
    store: bool
    expires_at: int
    status: Status = Status.QUEUED
    """`queued` while it is open, however far its log has come; the end's status afterwards."""
    due_at: int | None = None
    resends: int = 0
    deleted: bool = False
    thread: str | None = None
    """The thread it runs in; the request says where."""

    @property
    def has_ended(self) -> bool:
        """Whether the head has learned of the end; the log may know earlier."""
        return self.status is not Status.QUEUED

    def stands_with(self, owner: str) -> bool:
        """Whether it is, or was until it was deleted, in this owner's list."""
        return self.owner in {owner, name_on_tombstone(owner, self.id)}

    def is_gone(self, now: float) -> bool:
        """Whether readers must take it for gone: deleted, or expired though TTL has not come by yet."""
        return self.deleted or now >= self.expires_at


def name_on_tombstone(owner: str, response_id: str) -> str:
    """Return what a tombstone keeps of an owner: they are known again by it, and not named.

    No owner's name begins so. It is another for each response, so that two tell nothing together.
    """
    if owner.startswith("#"):
        return owner
    return f"#{hashlib.sha256(f'{response_id}/{owner}'.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A response as a list of its owner's has it."""

    head: Head
    sealed: bytes
    """Its model, not yet opened: most rows are only looked at, and one may not open."""


SHARED_WALLS = 2
"""Walls after which a response is given an invocation to itself: its model call may need a whole one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may write to a response's log, and until when. Times are seconds since 1970."""

    epoch: int = 0
    until: float = 0
    watched_until: float = 0
    attempts: int = 0
    """Claims that were not given back: how often somebody died over it."""
    walls: int = 0
    """How often the end of an invocation has cut its model call."""
    first_claimed_at: float | None = None
    not_before: float = 0
    """Nobody may claim it earlier, though nobody holds it: its provider asked to be left alone."""

    @property
    def runs_alone(self) -> bool:
        """Whether it may only be claimed by who runs nothing else: it may be poisonous, or long."""
        return self.attempts > 0 or self.walls >= SHARED_WALLS

    def is_live(self, now: float) -> bool:
        """Whether its holder may still be writing."""
        return now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one read of a response brings: its head, what was asked, and the result once written."""

    head: Head
    request: Request | None
    """`None` if accepting it stopped half way; the sweeper removes what there is of it."""
    result: Mapping[str, Any] | None = None
    """`{"output": [...], "end": Ended as a compact fact}`."""
