"""The stores of a response in memory: what the table does in a few lines, to test against and beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from meanwhile.domain.attempt import Keyed, Trace
from meanwhile.domain.errors import ClaimLost, Gone, LeaseHeld, NotYet, RunsAlone, SlotTaken
from meanwhile.domain.ids import shard_of
from meanwhile.domain.log import Batch
from meanwhile.domain.request import Request
from meanwhile.domain.response import SHARDS, Head, Lease, Listed, Record, name_on_tombstone
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import TOMBSTONE_SECONDS, Everything, ResponseStore
from meanwhile.storage.stores import Stores


@dataclass(slots=True)
class Rows:
    """Everything about one response."""

    head: Head
    request: Request | None
    lease: Lease | None = field(default_factory=Lease)
    claimant: str = ""
    log: dict[int, Batch | None] = field(default_factory=dict)
    """`None` is a tombstone."""
    result: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Marks:
    """What leads to responses: by owner and key, by owner and digest. Times are when it is forgotten."""

    keys: dict[tuple[str, str], tuple[Keyed, bytes, float]] = field(default_factory=dict)
    traces: dict[tuple[str, bytes], tuple[str, float]] = field(default_factory=dict)


class TwinResponses:
    def __init__(self, rows: dict[str, Rows], marks: Marks) -> None:
        self._rows = rows
        self._marks = marks

    def accept(
        self, head: Head, request: Request, trace: Trace | None = None, *, watched_until: float = 0
    ) -> None:
        self._rows[head.id] = Rows(head, request, Lease(watched_until=watched_until))
        if trace:
            self._marks.traces[head.owner, trace.digest] = (head.id, trace.expires_at)

    def accept_once(self, head: Head, request: Request, *, watched_until: float = 0) -> bool:
        mine = Rows(head, request, Lease(watched_until=watched_until))
        return self._rows.setdefault(head.id, mine) is mine

    def record(self, response_id: str, *, owner: str | None = None, result: bool = True) -> Record | None:
        rows = self._rows.get(response_id)
        if rows is None or owner not in (None, rows.head.owner):
            return None
        return Record(head=rows.head, request=rows.request, result=rows.result if result else None)

    def head(self, response_id: str) -> Head | None:
        rows = self._rows.get(response_id)
        return rows.head if rows else None

    def everything(self, response_id: str, *, request: bool = True) -> Everything | None:
        rows = self._rows.get(response_id)
        if rows is None:
            return None
        return Everything(
            head=rows.head,
            is_whole=rows.lease is not None and rows.request is not None,
            request=rows.request if request else None,
            lease=rows.lease or Lease(),
            batches=[batch for _, batch in sorted(rows.log.items()) if batch],
        )

    def end(self, head: Head, result: Mapping[str, Any]) -> None:
        rows = self._rows[head.id]
        if rows.head.deleted:
            return
        rows.result = rows.result or result
        if not rows.head.has_ended:
            rows.head = replace(rows.head, status=head.status, expires_at=head.expires_at, due_at=head.due_at)

    def due(self, shard: str, *, now: float, limit: int) -> list[str]:
        heads = [rows.head for rows in self._rows.values() if shard_of(rows.head.id, SHARDS) == shard]
        ready = [head for head in heads if head.due_at is not None and head.due_at <= now]
        return [head.id for head in sorted(ready, key=lambda head: head.due_at or 0)][:limit]

    def of_owner(self, owner: str, *, behind: Head | None, since: int, page: int) -> Iterator[Listed]:
        del page
        mine = [rows for rows in self._rows.values() if rows.head.owner == owner and rows.request]
        mine.sort(key=lambda rows: (rows.head.created_at, rows.head.id), reverse=True)
        for rows in mine:
            place = (rows.head.created_at, rows.head.id)
            if rows.head.created_at >= since and (not behind or place < (behind.created_at, behind.id)):
                yield Listed(rows.head, rows.request.model.encode() if rows.request else b"")

    def model_of(self, row: Listed) -> str | None:
        return row.sealed.decode()

    def postpone(self, head: Head, *, due_at: int, resends: int) -> bool:
        rows = self._rows[head.id]
        if (rows.head.due_at, rows.head.status) != (head.due_at, head.status):
            return False
        rows.head = replace(rows.head, due_at=due_at, resends=resends)
        return True

    def bury(self, head: Head, *, now: float) -> None:
        if head.id not in self._rows:
            return
        rows = self._rows[head.id]
        bare = Head(
            id=head.id,
            owner=name_on_tombstone(head.owner, head.id),
            created_at=head.created_at,
            background=False,
            store=False,
            expires_at=int(now) + TOMBSTONE_SECONDS,
            deleted=True,
        )
        self._rows[head.id] = Rows(bare, None, None, "", dict.fromkeys(rows.log), None)


class TwinLeases:
    def __init__(self, rows: dict[str, Rows]) -> None:
        self._rows = rows

    def read(self, response_id: str) -> Lease | None:
        rows = self._rows.get(response_id)
        return rows.lease if rows else None

    def claim(self, response_id: str, *, now: float, until: float, nonce: str, alone: bool) -> Lease:
        rows = self._rows.get(response_id)
        if rows is None or rows.lease is None:
            raise Gone(response_id)
        if rows.claimant == nonce:
            return rows.lease
        if rows.lease.is_live(now):
            raise LeaseHeld(response_id)
        if now < rows.lease.not_before:
            raise NotYet(response_id, not_before=rows.lease.not_before)
        if rows.lease.runs_alone and not alone:
            raise RunsAlone(response_id)
        first = rows.lease.first_claimed_at
        rows.claimant = nonce
        rows.lease = replace(
            rows.lease,
            epoch=rows.lease.epoch + 1,
            attempts=rows.lease.attempts + 1,
            until=until,
            first_claimed_at=now if first is None else first,
        )
        return rows.lease

    def renew(self, response_id: str, *, epoch: int, until: float) -> Lease:
        return self._held(response_id, epoch, until=until)

    def give_back(
        self, response_id: str, lease: Lease, *, met_wall: bool = False, not_before: float = 0
    ) -> None:
        there = self.read(response_id)
        if there and there.epoch == lease.epoch and there.until == 0:
            return
        self._held(
            response_id,
            lease.epoch,
            until=0.0,
            attempts=lease.attempts - 1,
            walls=lease.walls + int(met_wall),
            not_before=not_before,
        )

    def claimed(self, response_ids: Sequence[str]) -> set[str]:
        leases = {response_id: self.read(response_id) for response_id in response_ids}
        return {each for each, lease in leases.items() if lease and lease.first_claimed_at is not None}

    def watch(self, response_id: str, *, until: float) -> None:
        rows = self._rows.get(response_id)
        if rows and rows.lease:
            rows.lease = replace(rows.lease, watched_until=until)

    def fence_off(self, response_id: str) -> None:
        rows = self._rows.get(response_id)
        if rows and rows.lease:
            rows.lease = replace(rows.lease, epoch=rows.lease.epoch + 1, until=0.0, not_before=0.0)

    def _held(self, response_id: str, epoch: int, **changes: Any) -> Lease:
        rows = self._rows.get(response_id)
        if rows is None or rows.lease is None or rows.lease.epoch != epoch or rows.lease.until <= 0:
            raise ClaimLost(response_id)
        rows.lease = replace(rows.lease, **changes)
        return rows.lease


class TwinLog:
    def __init__(self, rows: dict[str, Rows]) -> None:
        self._rows = rows

    def append(self, head: Head, batch: Batch) -> None:
        log = self._rows[head.id].log
        there = log.setdefault(batch.number, batch)
        if there is None or there.nonce != batch.nonce:
            raise SlotTaken(f"batch {batch.number}")

    def read(
        self,
        head: Head,
        *,
        after: int = -1,
        at_most: int | None = None,
        consistent: bool = True,  # noqa: ARG002
    ) -> list[Batch]:
        rows = self._rows.get(head.id)
        found = sorted(rows.log.items()) if rows else []
        return [batch for number, batch in found if number > after and batch][:at_most]


class TwinMarks:
    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def take(
        self, owner: str, key: str, digest: bytes, *, response_id: str, now: float, until: float
    ) -> Keyed:
        keyed = Keyed(response_id=response_id, created_at=int(now), same_request=True)
        there = self._marks.keys.get((owner, key))
        if there is None or there[2] <= int(now):
            there = self._marks.keys[owner, key] = (keyed, digest, int(until))
        return replace(there[0], same_request=there[1] == digest)

    def traced(self, owner: str, digest: bytes, *, now: float) -> str | None:
        response_id, until = self._marks.traces.get((owner, digest), (None, 0))
        return response_id if until > now else None


def twin_stores() -> Stores:
    """Return empty stores in memory, which keep the promises of the real ones."""
    rows: dict[str, Rows] = {}
    marks = Marks()
    return Stores(
        cast("ResponseStore", TwinResponses(rows, marks)),
        cast("LeaseStore", TwinLeases(rows)),
        cast("LogStore", TwinLog(rows)),
        cast("MarkStore", TwinMarks(marks)),
    )
