"""The items of threads in the table: batches put by compare-and-set on position, read in either direction.

An item's content is sealed on its own, so that a reader opens what it wants and nothing else. Beside it
stands, in the clear and under a proof, what readers choose by: ids, kinds, tokens, versions. The largest
contents of a batch that does not fit into an item of the table lie together in one object.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from meanwhile.domain.errors import SlotTaken
from meanwhile.domain.request import Json
from meanwhile.domain.threads import Entry, NewItem, ThreadBatch
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.cipher import OVERHEAD
from meanwhile.storage.dynamodb import Conflict, errors_translated
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.marks import Hashed
from meanwhile.storage.payload import pack, unpack
from meanwhile.storage.thread_batch import (
    ITEMS,
    Kept,
    by_object,
    entries_of,
    part_of,
    pointer_to,
    pointers,
    proven,
    said_of,
    too_many,
    where,
)
from meanwhile.storage.thread_table import Part

_LAST = f"{ITEMS}9999999999"
_ROW_BYTES = 390_000
"""What is said of a batch's items and what they hold, together: DynamoDB takes 400 kB."""
_PAGE = 100
_AT_ONCE = 8


class ThreadLog:
    """Batches of items under a thread's id. Reads are strongly consistent."""

    def __init__(self, parts: type[Part], keyring: Keyring, blobs: Blobs, *, inline_bytes: int) -> None:
        self._parts = parts
        self._keyring = keyring
        self._blobs = blobs
        self._inline_bytes = inline_bytes

    def append(
        self,
        owner: str,
        thread: str,
        first: int,
        items: Sequence[NewItem],
        nonce: str,
        *,
        findable: bool,
        once: bool = False,
    ) -> ThreadBatch:
        """Put a batch at its first position: object and pointers first, then the one write that shows it.

        A repeated append finds its own batch, by the nonce, and adds nothing. `findable` items can be found
        by their id, and the batch by its nonce if it is to be added `once`. Returns it as it is there.

        Raises:
            SlotTaken: Another batch, or a tombstone, stands there.
            OwnerDeleted: The owner's key is destroyed.
        """
        row = self.row(owner, thread, first, items, nonce)
        if findable:
            names = [item.id for item in items] + ([nonce] if once else [])
            with errors_translated(), self._parts.batch_write() as batch:
                for pointer in pointers(self._parts, thread, first, names):
                    batch.save(pointer)
        try:
            with errors_translated():
                row.save(condition=self._parts.thread_id.does_not_exist())
        except Conflict as conflict:
            there = self._get(thread, first)
            if row.blob and (there is None or there.blob != row.blob):
                self._blobs.delete(row.blob)
            if there is None or there.deleted or there.nonce != nonce:
                raise SlotTaken(f"position {first}") from conflict
            row = there
        return self._to_batch(owner, row)

    def down(self, owner: str, thread: str, *, below: int | None, items: int) -> list[ThreadBatch]:
        """Return the batches that begin before position `below`, the newest first, until they hold `items`.

        Raises:
            Tampered: A batch is not what was written there.
            OwnerDeleted: The owner's key is destroyed.
        """
        last = _LAST if below is None else part_of(below - 1)
        return self._read(owner, thread, part_of(0), last, items, forward=False)

    def newest(self, owner: str, thread: str, *, below: int, batches: int) -> list[ThreadBatch]:
        """Return so many batches that begin before position `below`, the newest first, however long they are.

        Raises:
            Tampered, OwnerDeleted: As above.
        """
        if below <= 0:
            return []
        parts = self._parts
        between = parts.part.between(part_of(0), part_of(below - 1))
        with errors_translated():
            rows = list(
                parts.query(thread, between, consistent_read=True, scan_index_forward=False, limit=batches)
            )
        return [self._to_batch(owner, row) for row in rows]

    def up(self, owner: str, thread: str, *, start: int, items: int) -> list[ThreadBatch]:
        """Return the batches that begin at position `start` or later, oldest first, until they hold `items`.

        Raises:
            Tampered, OwnerDeleted: As above.
        """
        return self._read(owner, thread, part_of(start), _LAST, items, forward=True)

    def at(self, owner: str, thread: str, first: int) -> ThreadBatch | None:
        """Return the batch that begins at a position.

        Raises:
            Tampered, OwnerDeleted: As above.
        """
        row = self._get(thread, first)
        return self._to_batch(owner, row) if row else None

    def find(self, thread: str, name: str) -> list[int]:
        """Return where batches may begin that hold the item, or have the nonce, of this name; newest first.

        What a write has left that came second is among them: look before believing it.
        """
        start = pointer_to(name)
        with errors_translated():
            found = self._parts.query(
                thread, self._parts.part.startswith(start), consistent_read=True, scan_index_forward=False
            )
            return [int(row.first or 0) for row in found]

    def open(self, owner: str, entries: Sequence[Entry]) -> list[Json]:
        """Return the content of items, in the order given; those in the bucket are read at the same time.

        Raises:
            Tampered: One of them is not what was written there.
            LogCorrupt: An object is gone.
            OwnerDeleted: The owner's key is destroyed.
        """
        all_kept: list[Kept] = [entry.kept for entry in entries]
        seals = {kept.thread: self._keyring.seal(owner, kept.thread) for kept in all_kept}
        inside = (kept for kept in all_kept if kept.blob is not None)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            objects = dict(
                chain(*pool.map(lambda run: self._objects(*run), by_object(list(dict.fromkeys(inside)))))
            )
        return [
            unpack(seals[kept.thread].open(objects[kept] if kept.blob else kept.sealed, *kept.where))
            for kept in all_kept
        ]

    def erase(self, owner: str, thread: str, batch: ThreadBatch, positions: Collection[int]) -> bool:
        """Rewrite a batch without some items' content; `False` if it has changed since it was read.

        What others it has in its object moves to a new one; the old one is removed last.
        """
        row: Part = batch.kept
        contents = self._contents(row, batch)
        left = [entry.without_content() if entry.position in positions else entry for entry in batch.entries]
        sealed = [b"" if entry.deleted else contents[entry.position] for entry in left]
        new = self._laid_out(owner, thread, batch.first, left, sealed, batch.nonce, batch.revision + 1)
        unchanged = (self._parts.revision == batch.revision) & self._parts.deleted.does_not_exist()
        try:
            with errors_translated():
                new.save(condition=unchanged)
        except Conflict:
            there = self._get(thread, batch.first)
            if there is None or there.payload != new.payload:
                if new.blob:
                    self._blobs.delete(new.blob)
                return False
        if row.blob:
            self._blobs.delete(row.blob)
        return True

    def nonce_of(self, owner: str, key: str) -> str:
        """Return the nonce of what is to be added once, however often it is sent under this key.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """
        return Hashed(self._keyring, owner)("append", key.encode())[:32]

    def row(self, owner: str, thread: str, first: int, items: Sequence[NewItem], nonce: str) -> Part:
        """Return a batch as it is to be put; what does not fit into it is in the bucket then."""
        seal = self._keyring.seal(owner, thread)
        entries = [
            Entry(
                id=item.id,
                kind=item.kind,
                tokens=item.tokens,
                position=first + index,
                version=item.version,
                parent_version=item.parent_version,
            )
            for index, item in enumerate(items)
        ]
        sealed = [
            seal.close(pack(item.content), *where(first, nonce, entry))
            for item, entry in zip(items, entries, strict=True)
        ]
        return self._laid_out(owner, thread, first, entries, sealed, nonce, 0)

    def _laid_out(
        self,
        owner: str,
        thread: str,
        first: int,
        entries: Sequence[Entry],
        sealed: Sequence[bytes],
        nonce: str,
        revision: int,
    ) -> Part:
        room = _ROW_BYTES - len(said_of(entries, sealed, set()))
        outside = too_many(sealed, min(self._inline_bytes, room))
        row = self._parts(thread, part_of(first), nonce=nonce, revision=revision)
        row.entries = said_of(entries, sealed, outside)
        proof = self._keyring.seal(owner, thread).close(b"", *proven(row))
        row.payload = proof + b"".join(each for index, each in enumerate(sealed) if index not in outside)
        if outside:
            body = b"".join(sealed[index] for index in sorted(outside))
            row.blob = self._blobs.put(thread, row.part, body)
        return row

    def _read(
        self, owner: str, thread: str, start: str, end: str, items: int, *, forward: bool
    ) -> list[ThreadBatch]:
        found: list[ThreadBatch] = []
        if start > end:
            return found
        with errors_translated():
            for row in self._parts.query(
                thread,
                self._parts.part.between(start, end),
                consistent_read=True,
                scan_index_forward=forward,
                page_size=min(items, _PAGE),
            ):
                found.append(self._to_batch(owner, row))
                items -= sum(not entry.deleted for entry in found[-1].entries)
                if items <= 0:
                    break
        return found

    def _get(self, thread: str, first: int) -> Part | None:
        with errors_translated():
            try:
                return self._parts.get(thread, part_of(first), consistent_read=True)
            except self._parts.DoesNotExist:
                return None

    def _to_batch(self, owner: str, row: Part) -> ThreadBatch:
        first = int(row.part.removeprefix(ITEMS))
        if row.deleted:
            return ThreadBatch(first=first, nonce="", entries=(), closed=True)
        payload, seal = row.payload or b"", self._keyring.seal(owner, row.thread_id)
        seal.open(payload[:OVERHEAD], *proven(row))
        return ThreadBatch(
            first=first,
            nonce=row.nonce or "",
            entries=tuple(entries_of(row, first)),
            revision=int(row.revision or 0),
            in_bucket=row.blob is not None,
            kept=row,
        )

    def _contents(self, row: Part, batch: ThreadBatch) -> dict[int, bytes]:
        """Return the sealed contents of a batch by position."""
        body = self._blobs.get(row.blob) if row.blob else b""
        return {
            entry.position: body[entry.kept.start :][: entry.kept.length]
            if entry.kept.blob
            else entry.kept.sealed
            for entry in batch.entries
            if not entry.deleted
        }

    def _objects(self, blob: str, kept: list[Kept]) -> list[tuple[Kept, bytes]]:
        start = min(each.start for each in kept)
        body = self._blobs.get_part(blob, start, max(each.start + each.length for each in kept))
        return [(each, body[each.start - start :][: each.length]) for each in kept]
