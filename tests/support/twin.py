"""The stores of a response in memory: what the table does in a few lines, to test against and beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from meanwhile.domain.errors import ClaimLost, Gone, LeaseHeld, RunsAlone, SlotTaken
from meanwhile.domain.ids import shard_of
from meanwhile.domain.log import Batch
from meanwhile.domain.request import Request
from meanwhile.domain.response import SHARDS, Head, Lease, Record
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
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


class TwinResponses:
    def __init__(self, rows: dict[str, Rows]) -> None:
        self._rows = rows

    def accept(self, head: Head, request: Request) -> None:
        self._rows[head.id] = Rows(head, request)

    def record(self, response_id: str) -> Record | None:
        rows = self._rows.get(response_id)
        if rows is None:
            return None
        return Record(head=rows.head, request=rows.request, result=rows.result)

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
            owner="",
            created_at=0,
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

    def give_back(self, response_id: str, lease: Lease, *, met_wall: bool = False) -> None:
        there = self.read(response_id)
        if there and there.epoch == lease.epoch and there.until == 0:
            return
        self._held(
            response_id,
            lease.epoch,
            until=0.0,
            attempts=lease.attempts - 1,
            walls=lease.walls + int(met_wall),
        )

    def fence_off(self, response_id: str) -> None:
        rows = self._rows.get(response_id)
        if rows and rows.lease:
            rows.lease = replace(rows.lease, epoch=rows.lease.epoch + 1, until=0.0)

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

    def read(self, head: Head, *, after: int = -1) -> list[Batch]:
        rows = self._rows.get(head.id)
        found = sorted(rows.log.items()) if rows else []
        return [batch for number, batch in found if number > after and batch]


def twin_stores() -> Stores:
    """Return empty stores in memory, which keep the promises of the real ones."""
    rows: dict[str, Rows] = {}
    return Stores(
        cast("ResponseStore", TwinResponses(rows)),
        cast("LeaseStore", TwinLeases(rows)),
        cast("LogStore", TwinLog(rows)),
    )
