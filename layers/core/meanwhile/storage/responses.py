"""Heads, requests and results of responses, and the index of those that are open."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from meanwhile.domain.ids import shard_of
from meanwhile.domain.log import Batch
from meanwhile.domain.request import Request
from meanwhile.domain.response import SHARDS, Head, Lease, Record, Status
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.leases import to_lease
from meanwhile.storage.log import to_batch
from meanwhile.storage.payload import pack, unpack
from meanwhile.storage.table import HEAD, LEASE, OUTPUT, REQUEST, Conflict, Item, errors_translated

TOMBSTONE_SECONDS = 30 * 86_400
"""How long a tombstone stays: longer than any queue keeps a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """A response with all its parts, as one consistent read found them."""

    record: Record
    lease: Lease
    batches: list[Batch]


class ResponseStore:
    """The parts of responses other than lease and log. Reads are strongly consistent."""

    def __init__(self, items: type[Item], blobs: Blobs, *, inline_bytes: int) -> None:
        self._items = items
        self._blobs = blobs
        self._inline_bytes = inline_bytes

    def accept(self, head: Head, request: Request) -> None:
        """Write head, lease and request in one call. Stored means accepted."""
        with errors_translated(), self._items.batch_write() as batch:
            batch.save(_head_item(self._items, head))
            batch.save(self._content(head, REQUEST, request.to_json()))
            batch.save(
                self._items(head.id, LEASE, expires_at=head.expires_at, epoch=0, until=0, attempts=0, walls=0)
            )

    def record(self, response_id: str) -> Record | None:
        """Return head, request and result in one call; `None` if there is no such response."""
        keys = [(response_id, part) for part in (HEAD, REQUEST, OUTPUT)]
        with errors_translated():
            parts = {item.part: item for item in self._items.batch_get(keys, consistent_read=True)}
        return self._record(parts)

    def everything(self, response_id: str) -> Everything | None:
        """Return all parts in one query: what a worker reads before it goes on."""
        with errors_translated():
            found = list(self._items.query(response_id, consistent_read=True))
        parts = {item.part: item for item in found}
        record = self._record(parts)
        if record is None:
            return None
        lease = parts.get(LEASE)
        return Everything(
            record=record,
            lease=to_lease(lease) if lease and not lease.deleted else Lease(),
            batches=[to_batch(item) for item in found if item.part.startswith("log#") and not item.deleted],
        )

    def end(self, head: Head, result: Mapping[str, Any]) -> None:
        """Write the result, then the ended head. Repeating it, or coming second, changes nothing."""
        items = self._items
        self._write_once(self._content(head, OUTPUT, result))
        actions = [items.status.set(head.status.value), items.expires_at.set(head.expires_at)]
        if head.due_at is None:
            actions += [items.open_shard.remove(), items.due_at.remove()]
        else:
            actions.append(items.due_at.set(head.due_at))
        self._update_head(
            head.id,
            actions,
            (items.status == Status.QUEUED.value) & items.deleted.does_not_exist(),
        )

    def due(self, shard: str, *, now: float, limit: int) -> list[str]:
        """Return ids of responses whose time to be looked at has come, the longest overdue first.

        The index follows the table with a delay: check the head before believing it.
        """
        with errors_translated():
            found = self._items.open_index.query(shard, self._items.due_at <= int(now), limit=limit)
            return [item.response_id for item in found]

    def postpone(self, head: Head, *, due_at: int, resends: int) -> bool:
        """Say when to look again; `False` if another sweep said so first, or it has ended."""
        items = self._items
        return self._update_head(
            head.id,
            [items.due_at.set(due_at), items.resends.set(resends)],
            (items.due_at == head.due_at) & (items.status == head.status.value),
        )

    def bury(self, head: Head, *, now: float) -> None:
        """Replace every part by a tombstone. Starts with the head, so that readers see nothing of the rest.

        A burial that stops half way is found in the index and done again.
        """
        items, until = self._items, int(now) + TOMBSTONE_SECONDS
        mark = [
            items.deleted.set(True),
            items.open_shard.set(shard_of(head.id, SHARDS)),
            items.due_at.set(int(now)),
            items.expires_at.set(until),
        ]
        if not self._update_head(head.id, mark, items.response_id.exists()):
            return
        # Before looking what there is, so that a result still on its way finds its place taken.
        self._write_once(items(head.id, OUTPUT, deleted=True, expires_at=until))
        with errors_translated():
            parts = list(
                items.query(head.id, consistent_read=True, attributes_to_get=["response_id", "part", "blob"])
            )
        # Objects first: a tombstone forgets the key, and a burial that stopped here could not find them.
        for item in parts:
            if item.blob:
                self._blobs.delete(item.blob)
        with errors_translated():
            with items.batch_write() as batch:
                for item in parts:
                    if item.part != HEAD:
                        batch.save(items(head.id, item.part, deleted=True, expires_at=until))
            items(head.id, HEAD, deleted=True, expires_at=until).save()

    def _record(self, parts: Mapping[str, Item]) -> Record | None:
        head = parts.get(HEAD)
        if head is None:
            return None
        if head.deleted:
            return Record(head=_buried(head), request=None)
        request, result = parts.get(REQUEST), parts.get(OUTPUT)
        return Record(
            head=_to_head(head),
            request=Request.from_json(self._load(request)) if request and not request.deleted else None,
            result=self._load(result) if result and not result.deleted else None,
        )

    def _content(self, head: Head, part: str, content: Any) -> Item:
        item = self._items(head.id, part, expires_at=head.expires_at)
        packed = pack(content)
        if len(packed) <= self._inline_bytes:
            item.payload = packed
        else:
            item.blob = self._blobs.put(head.id, part, packed)
        return item

    def _write_once(self, item: Item) -> None:
        """Put an item where none is; whoever was first wrote the same, for the log said it to both."""
        try:
            with errors_translated():
                item.save(condition=self._items.response_id.does_not_exist())
        except Conflict:
            if item.blob:
                self._discard_unless_kept(item)

    def _discard_unless_kept(self, item: Item) -> None:
        """Remove the object of a write that came second, but not of one whose answer was lost."""
        with errors_translated():
            there = self._items.get(item.response_id, item.part, consistent_read=True)
        if there.blob != item.blob:
            self._blobs.delete(item.blob or "")

    def _load(self, item: Item) -> Any:
        return unpack(self._blobs.get(item.blob) if item.blob else item.payload or b"")

    def _update_head(self, response_id: str, actions: list[Any], condition: Any) -> bool:
        try:
            with errors_translated():
                self._items(response_id, HEAD).update(actions=actions, condition=condition)
        except Conflict:
            return False
        return True


def _head_item(items: type[Item], head: Head) -> Item:
    return items(
        head.id,
        HEAD,
        expires_at=head.expires_at,
        owner=head.owner,
        created_at=head.created_at,
        background=head.background,
        store=head.store,
        status=head.status.value,
        resends=head.resends,
        due_at=head.due_at,
        open_shard=shard_of(head.id, SHARDS),
    )


def _to_head(item: Item) -> Head:
    return Head(
        id=item.response_id,
        owner=item.owner or "",
        created_at=int(item.created_at or 0),
        background=bool(item.background),
        store=bool(item.store),
        expires_at=int(item.expires_at),
        status=Status(item.status),
        due_at=None if item.due_at is None else int(item.due_at),
        resends=int(item.resends or 0),
    )


def _buried(item: Item) -> Head:
    """Return a tombstone as a head that nobody owns."""
    bare = Head(
        id=item.response_id, owner="", created_at=0, background=False, store=False, expires_at=0, deleted=True
    )
    return replace(bare, due_at=None if item.due_at is None else int(item.due_at))
