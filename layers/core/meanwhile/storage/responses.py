"""Heads, requests and results of responses, and the index of those that are open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meanwhile.domain.attempt import Trace
from meanwhile.domain.ids import shard_of
from meanwhile.domain.log import Batch
from meanwhile.domain.request import Request
from meanwhile.domain.response import SHARDS, Head, Lease, Listed, Record, Status
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.dynamodb import Conflict, errors_translated, put_together
from meanwhile.storage.heads import buried_item, head_item, key_in_owner_index, to_head
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.leases import new_lease, to_lease
from meanwhile.storage.log import LOG, to_batch
from meanwhile.storage.marks import trace_item
from meanwhile.storage.payload import pack, unpack
from meanwhile.storage.table import HEAD, LEASE, OUTPUT, REQUEST, Item, items_of

TOMBSTONE_SECONDS = 30 * 86_400
"""How long a tombstone stays: longer than any queue keeps a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """A response with all its parts, as one consistent read found them."""

    head: Head
    is_whole: bool
    """Whether all was written that accepting it writes; else it was told to nobody as accepted."""
    request: Request | None
    lease: Lease
    batches: list[Batch]


class ResponseStore:
    """The parts of responses other than lease and log. Reads are strongly consistent.

    Whatever opens content raises `Tampered` if it is not what was written there, and `OwnerDeleted` if its
    owner's key is destroyed.
    """

    def __init__(self, items: type[Item], keyring: Keyring, blobs: Blobs, *, inline_bytes: int) -> None:
        self._items = items
        self._keyring = keyring
        self._blobs = blobs
        self._inline_bytes = inline_bytes

    def accept(
        self, head: Head, request: Request, trace: Trace | None = None, *, watched_until: float = 0
    ) -> None:
        """Write head, lease and request in one call, and with them a trace. Stored means accepted."""
        items = self._accepted(head, request, watched_until)
        if trace is not None:
            items.append(trace_item(self._items, self._keyring, head.owner, trace, head.id))
        with errors_translated(), self._items.batch_write() as batch:
            for item in items:
                batch.save(item)

    def accept_once(self, head: Head, request: Request, *, watched_until: float = 0) -> bool:
        """Write head, lease and request in one call, all or none; `False` if this id has some already.

        What has gone on since, or is a tombstone by now, stays as it is, however late this write comes.
        """
        items = self._accepted(head, request, watched_until)
        try:
            put_together(items)
        except Conflict:
            for item in items:
                if item.blob:
                    self._discard_unless_kept(item)
            return False
        return True

    def _accepted(self, head: Head, request: Request, watched_until: float) -> list[Item]:
        lease = new_lease(self._items, head, watched_until=watched_until)
        first = head_item(self._items, head)
        listed = {"model": request.model} | ({"hidden": True} if request.is_compaction else {})
        first.payload = self._keyring.seal(head.owner, head.id).close(pack(listed), HEAD)
        return [first, lease, self._content(head, REQUEST, request.to_json())]

    def record(self, response_id: str, *, owner: str | None = None, result: bool = True) -> Record | None:
        """Return head, request and, if wanted, result in one call; `None` if there is no such response.

        With `owner`, another's is `None` too, and not opened: an error would tell that it is there.
        """
        wanted = (HEAD, REQUEST, OUTPUT) if result else (HEAD, REQUEST)
        parts = {item.part: item for item in items_of(self._items, response_id, wanted)}
        if HEAD not in parts:
            return None
        head = to_head(parts[HEAD])
        if owner not in (None, head.owner):
            return None
        return Record(
            head=head,
            request=self._request(head, parts.get(REQUEST)),
            result=self._load(head, parts.get(OUTPUT)),
        )

    def head(self, response_id: str) -> Head | None:
        """Return the head alone."""
        with errors_translated():
            try:
                return to_head(self._items.get(response_id, HEAD, consistent_read=True))
            except self._items.DoesNotExist:
                return None

    def everything(self, response_id: str, *, request: bool = True) -> Everything | None:
        """Return all parts but the result in one query: what a worker reads before it goes on.

        Without `request` that stays where it is, too: it may be large, and lie in the bucket.
        """
        with errors_translated():
            found = list(self._items.query(response_id, consistent_read=True))
        parts = {item.part: item for item in found if not item.deleted or item.part == HEAD}
        if HEAD not in parts:
            return None
        head, lease = to_head(parts[HEAD]), parts.get(LEASE)
        seal = self._keyring.seal(head.owner, head.id)
        return Everything(
            head=head,
            is_whole=lease is not None and REQUEST in parts,
            request=self._request(head, parts.get(REQUEST)) if request else None,
            lease=to_lease(lease) if lease else Lease(),
            batches=[to_batch(item, seal) for item in parts.values() if item.part.startswith(LOG)],
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

    def of_owner(self, owner: str, *, behind: Head | None, since: int, page: int) -> Iterator[Listed]:
        """Yield an owner's responses made `since`, newest first; read `page` at a time, as they are taken.

        Nothing is opened, so that one that does not open hides no other.
        The index follows the table with a delay: the newest may be missing, and what ended look open.
        """
        items = self._items
        start = key_in_owner_index(behind, owner) if behind else None
        with errors_translated():
            for item in items.owner_index.query(
                owner,
                items.created_at >= since,
                scan_index_forward=False,
                page_size=page,
                last_evaluated_key=start,
            ):
                if item.part == HEAD and not item.deleted:
                    yield Listed(to_head(item), item.payload or b"")

    def model_of(self, row: Listed) -> str | None:
        """Open what a list shows of a response besides its head; `None` if it shows nothing of it."""
        seal = self._keyring.seal(row.head.owner, row.head.id)
        listed = unpack(seal.open(row.sealed, HEAD))
        return None if listed.get("hidden") else listed["model"]

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
                items.query(head.id, consistent_read=True, attributes_to_get=["response_id", "part"])
            )
        # By prefix, and so with those that a crash has left without an item.
        self._blobs.delete_all(head.id)
        with errors_translated():
            with items.batch_write() as batch:
                for item in parts:
                    if item.part != HEAD:
                        batch.save(items(head.id, item.part, deleted=True, expires_at=until))
            buried_item(items, head, until=until).save()

    def _content(self, head: Head, part: str, content: Any) -> Item:
        item = self._items(head.id, part, expires_at=head.expires_at)
        sealed = self._keyring.seal(head.owner, head.id).close(pack(content), part)
        if len(sealed) <= self._inline_bytes:
            item.payload = sealed
        else:
            item.blob = self._blobs.put(head.id, part, sealed)
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

    def _request(self, head: Head, item: Item | None) -> Request | None:
        stored = self._load(head, item)
        return None if stored is None else Request.from_json(stored)

    def _load(self, head: Head, item: Item | None) -> Any:
        if item is None or item.deleted:
            return None
        sealed = self._blobs.get(item.blob) if item.blob else item.payload or b""
        return unpack(self._keyring.seal(head.owner, head.id).open(sealed, item.part))

    def _update_head(self, response_id: str, actions: list[Any], condition: Any) -> bool:
        try:
            with errors_translated():
                self._items(response_id, HEAD).update(actions=actions, condition=condition)
        except Conflict:
            return False
        return True
