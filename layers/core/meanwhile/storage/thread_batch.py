"""A batch of a thread as it lies in the table: what is said in the clear, and where each content is."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from meanwhile.domain.threads import Entry
from meanwhile.storage.cipher import OVERHEAD
from meanwhile.storage.thread_table import Part

ITEMS, POINTER = "items#", "id#"
_NAME_CHARS = 200


def part_of(first: int) -> str:
    """Return the range key of the batch that begins at a position."""
    return f"{ITEMS}{first:010d}"


def pointer_to(name: str) -> str:
    """Return how the range keys of an id's pointers begin; callers may choose ids as long as they like."""
    short = name if len(name) <= _NAME_CHARS else hashlib.sha256(name.encode()).hexdigest()
    return f"{POINTER}{short}#"


def pointers(parts: type[Part], thread: str, first: int, names: Iterable[str]) -> list[Part]:
    """Return what says of these ids that they may be found in the batch at a position."""
    places = dict.fromkeys(f"{pointer_to(name)}{first:010d}" for name in names)
    return [parts(thread, place, first=first) for place in places]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where one item's sealed content lies, and what it is bound to."""

    thread: str
    where: tuple[str | int, ...]
    sealed: bytes = b""
    blob: str | None = None
    """If it lies in an object: from `start`, `length` bytes."""
    start: int = 0
    length: int = 0


def said_of(entries: Sequence[Entry], sealed: Sequence[bytes], outside: set[int]) -> str:
    """Return what stands in the clear of items and their sealed contents, some of which lie in an object."""
    rows = [
        [
            entry.id,
            entry.kind,
            entry.tokens,
            entry.version,
            entry.parent_version,
            len(each),
            int(index in outside),
            int(entry.deleted),
        ]
        for index, (entry, each) in enumerate(zip(entries, sealed, strict=True))
    ]
    return json.dumps(rows, separators=(",", ":"))


def entries_of(row: Part, first: int) -> Iterator[Entry]:
    """Yield what a batch says of its items, and where their contents lie."""
    payload, inside, outside = row.payload or b"", OVERHEAD, 0
    for index, said in enumerate(json.loads(row.entries or "[]")):
        item_id, kind, tokens, version, parent_version, length, is_outside, deleted = said
        entry = Entry(
            id=item_id,
            kind=kind,
            tokens=tokens,
            position=first + index,
            version=version,
            parent_version=parent_version,
            deleted=bool(deleted),
            size=length,
        )
        place = where(first, row.nonce or "", entry)
        kept: Kept | None = None
        if is_outside:
            kept = Kept(row.thread_id, place, blob=row.blob or "", start=outside, length=length)
            outside += length
        elif not deleted:
            kept = Kept(row.thread_id, place, sealed=payload[inside:][:length])
            inside += length
        yield replace(entry, kept=kept)


def where(first: int, nonce: str, entry: Entry) -> tuple[str | int, ...]:
    """Return what an item's content is bound to: its place, and everything said of it in the clear."""
    said = (entry.id, entry.kind, entry.tokens, entry.version, entry.parent_version or 0)
    return (part_of(first), nonce, entry.position, *said)


def proven(row: Part) -> tuple[str | int, ...]:
    """Return what proves a batch: readers choose by it before they open anything."""
    return row.part, "entries", row.nonce or "", int(row.revision or 0), row.entries or ""


def too_many(sealed: Sequence[bytes], inline_bytes: int) -> set[int]:
    """Return which contents do not fit into an item of the table: the largest, as few as possible."""
    outside: set[int] = set()
    total = sum(map(len, sealed))
    for index in sorted(range(len(sealed)), key=lambda index: -len(sealed[index])):
        if total <= inline_bytes:
            break
        outside.add(index)
        total -= len(sealed[index])
    return outside


def by_object(kept: Sequence[Kept]) -> list[tuple[str, list[Kept]]]:
    """Group contents by their object."""
    runs: dict[str, list[Kept]] = {}
    for each in kept:
        runs.setdefault(each.blob or "", []).append(each)
    return list(runs.items())
