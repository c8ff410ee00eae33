"""The stores of threads in memory: what the table does in a few lines, to test against and beside it."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, cast

from meanwhile.domain.attempt import Making
from meanwhile.domain.errors import SlotTaken
from meanwhile.domain.ids import HEX_DIGITS, shard_of
from meanwhile.domain.paths import CONVERSATION
from meanwhile.domain.request import Json
from meanwhile.domain.response import SHARDS
from meanwhile.domain.threads import About, Entry, NewItem, Reached, ThreadBatch, ThreadHead
from meanwhile.storage.stores import Threads
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.threads import ThreadStore


@dataclass(slots=True)
class Rows:
    """Everything of all threads."""

    heads: dict[str, ThreadHead] = field(default_factory=dict)
    abouts: dict[str, About] = field(default_factory=dict)
    batches: dict[str, dict[int, ThreadBatch]] = field(default_factory=dict)
    pointers: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    last_looks: set[str] = field(default_factory=set)

    def log(self, thread: str) -> dict[int, ThreadBatch]:
        return self.batches.setdefault(thread, {})


class TwinThreadLog:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

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
        del owner
        if findable:
            for name in [*(item.id for item in items), *([nonce] if once else [])]:
                self._rows.pointers.setdefault((thread, name), set()).add(first)
        entries = tuple(_entry(item, first + index) for index, item in enumerate(items))
        mine = ThreadBatch(first=first, nonce=nonce, entries=entries)
        there = self._rows.log(thread).setdefault(first, mine)
        if there.closed or there.nonce != nonce:
            raise SlotTaken(f"position {first}")
        return there

    def down(self, owner: str, thread: str, *, below: int | None, items: int) -> list[ThreadBatch]:
        del owner
        found = sorted(self._rows.log(thread).values(), key=lambda batch: -batch.first)
        return _until([each for each in found if below is None or each.first < below], items)

    def newest(self, owner: str, thread: str, *, below: int, batches: int) -> list[ThreadBatch]:
        del owner
        found = sorted(self._rows.log(thread).values(), key=lambda batch: -batch.first)
        return [each for each in found if each.first < below][:batches]

    def up(self, owner: str, thread: str, *, start: int, items: int) -> list[ThreadBatch]:
        del owner
        found = sorted(self._rows.log(thread).values(), key=lambda batch: batch.first)
        return _until([each for each in found if each.first >= start], items)

    def at(self, owner: str, thread: str, first: int) -> ThreadBatch | None:
        del owner
        return self._rows.log(thread).get(first)

    def find(self, thread: str, name: str) -> list[int]:
        return sorted(self._rows.pointers.get((thread, name), ()), reverse=True)

    def open(self, owner: str, entries: Sequence[Entry]) -> list[Json]:
        del owner
        return [entry.kept for entry in entries]

    def erase(self, owner: str, thread: str, batch: ThreadBatch, positions: Collection[int]) -> bool:
        del owner
        log = self._rows.log(thread)
        there = log[batch.first]
        if there.closed or there.revision != batch.revision:
            return False
        left = tuple(
            entry.without_content() if entry.position in positions else entry for entry in batch.entries
        )
        log[batch.first] = replace(there, entries=left, revision=there.revision + 1)
        return True

    def nonce_of(self, owner: str, key: str) -> str:
        return f"{owner} {key}"


class TwinThreadStore:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def create(self, head: ThreadHead, about: About) -> None:
        self._rows.abouts[head.id] = about
        self._rows.heads[head.id] = head

    def begin(self, head: ThreadHead) -> None:
        if head.id not in self._rows.heads:
            self._rows.heads[head.id] = head
            self._rows.due[head.id] = head.kept_until or 0

    def head(self, thread: str) -> ThreadHead | None:
        return self._rows.heads.get(thread)

    def conversation(self, owner: str, thread: str) -> tuple[ThreadHead, About] | None:
        head, about = self._rows.heads.get(thread), self._rows.abouts.get(thread)
        theirs = head is not None and head.owner == owner and not head.deleted
        return (head, about) if theirs and head and about else None

    def known(
        self, owner: str, threads: Sequence[str], *, about: str | None
    ) -> tuple[dict[str, ThreadHead], About | None]:
        heads = {thread: self._rows.heads[thread] for thread in threads if thread in self._rows.heads}
        alive = {thread: head for thread, head in heads.items() if head.owner == owner and not head.deleted}
        return alive, self._rows.abouts.get(about) if about in alive else None

    def abouts(self, owner: str, threads: Sequence[str]) -> dict[str, About]:
        del owner
        return {thread: self._rows.abouts[thread] for thread in threads if thread in self._rows.abouts}

    def update_about(self, head: ThreadHead, about: About) -> bool:
        there = self._rows.abouts.get(head.id)
        if there is None or there.version != about.version - 1:
            return there == about
        self._rows.abouts[head.id] = about
        return True

    def lock(
        self, owner: str, thread: str, response_id: str, *, now: float, instead_of: str | None = None
    ) -> ThreadHead | None:
        def free(head: ThreadHead) -> bool:
            theirs = head.owner == owner and head.path.is_conversation
            return theirs and head.lock in {None, response_id, instead_of}

        self._change(thread, free, lock=response_id, locked_at=now)
        head = self._rows.heads.get(thread)
        return head if head and free(head) and head.lock == response_id and not head.deleted else None

    def release(self, thread: str, response_id: str) -> None:
        self._change(thread, lambda head: head.lock == response_id, lock=None)

    def moved(self, thread: str, *, tip: Reached, now: float, release: str | None = None) -> None:
        grown = {"active_at": now, "tip": tip.position, "tokens": tip.tokens}
        if release is None:
            self._change(thread, lambda _: True, **grown)
        else:
            self._change(thread, lambda head: head.lock == release, **grown, lock=None)

    def changed(self, thread: str) -> None:
        head = self._rows.heads.get(thread)
        self._change(thread, lambda _: True, changes=head.changes + 1 if head else 0)

    def keep(self, thread: str, *, until: float) -> None:
        self._change(thread, lambda head: head.kept_until is not None, kept_until=until)

    def of_owner(
        self,
        owner: str,
        *,
        behind: tuple[float, str] | None,
        since: float | None,
        until: float | None,
        page: int,
    ) -> Iterator[tuple[float, str]]:
        del page
        first, behind_last = round((since or 0) * 1000), 10**15 if until is None else round(until * 1000)
        assert first < behind_last, "DynamoDB refuses a span that ends before it begins"
        at = first if behind is None else round(behind[0] * 1000)
        assert first <= at < behind_last, "DynamoDB refuses to go on from outside of the span"
        mine = [
            (head.active_at, head.id)
            for head in self._rows.heads.values()
            if head.owner == owner and not head.deleted and head.path.is_conversation
        ]
        for place in sorted(mine, reverse=True):
            in_time = (since is None or place[0] >= since) and (until is None or place[0] < until)
            if in_time and (behind is None or place < behind):
                yield place

    def due(self, shard: str, *, now: float, limit: int) -> list[str]:
        ready = [each for each, at in self._rows.due.items() if at <= now and shard_of(each, SHARDS) == shard]
        return sorted(ready, key=lambda each: self._rows.due[each])[:limit]

    def look_at(self, thread: str, *, at: float) -> None:
        if thread in self._rows.heads and not self._rows.heads[thread].deleted:
            self._rows.due[thread] = min(self._rows.due.get(thread, at), at)

    def looked_at(self, thread: str, *, now: float, again_at: float | None = None) -> None:
        head = self._rows.heads.get(thread)
        if head is None or head.deleted or self._rows.due.get(thread, now + 1) > now:
            return
        if again_at is not None:
            self._rows.due[thread] = again_at
        elif head.kept_until is None:
            del self._rows.due[thread]
        elif head.kept_until > now:
            self._rows.due[thread] = head.kept_until

    def mark_deleted(self, thread: str, *, now: float, owner: str | None = None) -> bool:
        if not self._change(thread, lambda head: owner in {None, head.owner}, deleted=True, lock=None):
            return self._is_mine(thread, owner, now)
        self._rows.due[thread] = now
        return True

    def _is_mine(self, thread: str, owner: str | None, now: float) -> bool:
        head = self._rows.heads.get(thread)
        return head is not None and owner in {None, head.owner} and self._rows.due.get(thread) == now

    def expire(self, thread: str, *, now: float) -> bool:
        def is_over(head: ThreadHead) -> bool:
            return head.kept_until is not None and head.kept_until <= now

        return self._change(thread, is_over, deleted=True)

    def is_deleted(self, thread: str) -> bool:
        head = self._rows.heads.get(thread)
        return head is None or head.deleted

    def _change(self, thread: str, condition: Callable[[ThreadHead], bool], **changes: Any) -> bool:
        head = self._rows.heads.get(thread)
        if head is None or head.deleted or not condition(head):
            return False
        self._rows.heads[thread] = replace(head, **changes)
        return True


class TwinThreadBurial:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def bury(self, thread: str, *, now: float, at_most: int) -> bool:
        del at_most
        rows, head = self._rows, self._rows.heads.get(thread)
        if head is None or not head.deleted:
            return True
        log = rows.log(thread)
        tip = max([batch.end for batch in log.values() if not batch.closed], default=head.path.start)
        if not any(batch.closed for batch in log.values()):
            log[tip] = ThreadBatch(first=tip, nonce="", entries=(), closed=True)
        for first in log:
            log[first] = ThreadBatch(first=first, nonce="", entries=(), closed=True)
        rows.pointers = {place: firsts for place, firsts in rows.pointers.items() if place[0] != thread}
        rows.abouts.pop(thread, None)
        rows.heads[thread] = ThreadHead(
            id=thread, owner="", path=head.path, created_at=0, active_at=0, deleted=True
        )
        rows.due.pop(thread, None)
        if thread not in rows.last_looks:
            rows.last_looks.add(thread)
            rows.due[thread] = now + 86_400
        return True

    def remove_strays(self, thread: str, *, now: float) -> bool:
        del thread, now
        return True


class TwinThreadBirth:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def under(self, owner: str, key: str, digest: bytes) -> Making:
        name = sha256(f"{owner} {key}".encode()).hexdigest()
        return Making(id=f"{CONVERSATION}_{name[:HEX_DIGITS]}", asked=f"{name} {digest.hex()}")

    def create(self, head: ThreadHead, about: About, items: Sequence[NewItem], nonce: str) -> bool:
        rows, first = self._rows, head.path.start
        if head.id in rows.heads or rows.log(head.id):
            return False
        if items:
            TwinThreadLog(rows).append(head.owner, head.id, first, items, nonce, findable=True)
        TwinThreadStore(rows).create(head, about)
        return True


def twin_threads() -> Threads:
    """Return empty stores in memory, which keep the promises of the real ones."""
    rows = Rows()
    return Threads(
        cast("ThreadStore", TwinThreadStore(rows)),
        cast("ThreadLog", TwinThreadLog(rows)),
        cast("ThreadBurial", TwinThreadBurial(rows)),
        cast("ThreadBirth", TwinThreadBirth(rows)),
    )


def _entry(item: NewItem, position: int) -> Entry:
    return Entry(
        id=item.id,
        kind=item.kind,
        tokens=item.tokens,
        position=position,
        version=item.version,
        parent_version=item.parent_version,
        size=len(json.dumps(item.content)),
        kept=item.content,
    )


def _until(batches: list[ThreadBatch], items: int) -> list[ThreadBatch]:
    """Return the first of these, until they hold so many items that were not deleted."""
    found: list[ThreadBatch] = []
    for batch in batches:
        if items <= 0:
            break
        found.append(batch)
        items -= sum(not entry.deleted for entry in batch.entries)
    return found
