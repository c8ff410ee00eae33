"""Heads of threads: whose they are, what runs in them, what is said about them, and both their indexes."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from meanwhile.domain.errors import LogCorrupt, named
from meanwhile.domain.ids import shard_of
from meanwhile.domain.response import SHARDS
from meanwhile.domain.threads import About, Reached, ThreadHead
from meanwhile.storage.dynamodb import Conflict, errors_translated, rows_at
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.thread_heads import about_row, head_row, to_about, to_head
from meanwhile.storage.thread_table import ABOUT, HEAD, Part, index_key, to_millis, to_seconds

logger = logging.getLogger(__name__)

_PAGE = 100

ABOUTS_AT_ONCE = 100


class ThreadStore:
    """Everything of threads but their items. Reads are strongly consistent, those of indexes excepted.

    Whatever opens content raises `Tampered` if it is not what was written there, and `OwnerDeleted` if its
    owner's key is destroyed.
    """

    def __init__(self, parts: type[Part], keyring: Keyring) -> None:
        self._parts = parts
        self._keyring = keyring

    def create(self, head: ThreadHead, about: About) -> None:
        """Write a conversation's head and what is said about it, in one call: from here on it is there."""
        rows = [
            about_row(self._parts, self._keyring, head, about),
            head_row(self._parts, self._keyring, head),
        ]
        with errors_translated(), self._parts.batch_write() as batch:
            for row in rows:
                batch.save(row)

    def begin(self, head: ThreadHead) -> None:
        """Write the head of a chain, unless it is there: whoever was first wrote the same."""
        try:
            with errors_translated():
                head_row(self._parts, self._keyring, head).save(
                    condition=self._parts.thread_id.does_not_exist()
                )
        except Conflict:
            return

    def head(self, thread: str) -> ThreadHead | None:
        """Return a thread's head; of what was deleted long ago, `None`."""
        with errors_translated():
            try:
                return to_head(self._keyring, self._parts.get(thread, HEAD, consistent_read=True))
            except self._parts.DoesNotExist:
                return None

    def conversation(self, owner: str, thread: str) -> tuple[ThreadHead, About] | None:
        """Return a conversation of this owner's in one call; `None` if there is none, or it is deleted."""
        heads, about = self.known(owner, [thread], about=thread)
        return (heads[thread], about) if thread in heads and about else None

    def known(
        self, owner: str, threads: Sequence[str], *, about: str | None
    ) -> tuple[dict[str, ThreadHead], About | None]:
        """Return an owner's threads that live, by id, and what is said about one of them: 99 in one call."""
        wanted = [(thread, HEAD) for thread in threads] + ([(about, ABOUT)] if about else [])
        rows = rows_at(self._parts, wanted) if wanted else []
        theirs = [row for row in rows if row.part == HEAD and row.owner == owner and not row.deleted]
        heads = {row.thread_id: to_head(self._keyring, row) for row in theirs}
        spoken = [row for row in rows if row.part == ABOUT and row.thread_id in heads]
        return heads, to_about(self._keyring, owner, spoken[0]) if spoken else None

    def abouts(self, owner: str, threads: Sequence[str]) -> dict[str, About]:
        """Return what is said about up to 100 conversations, in one call, by id.

        Without those that are deleted, and those that do not open: they must hide no other.
        """
        rows = rows_at(self._parts, [(thread, ABOUT) for thread in threads]) if threads else []
        found: dict[str, About] = {}
        for row in rows:
            try:
                about = to_about(self._keyring, owner, row)
            except LogCorrupt as error:
                said = {"thread_id": row.thread_id} | named(error)
                logger.error("a conversation that cannot be listed", extra=said)
                continue
            if about is not None:
                found[row.thread_id] = about
        return found

    def update_about(self, head: ThreadHead, about: About) -> bool:
        """Write what is said, over the version before it; `False` if another version is there."""
        row = about_row(self._parts, self._keyring, head, about)
        before = (self._parts.version == about.version - 1) & self._parts.deleted.does_not_exist()
        try:
            with errors_translated():
                row.save(condition=before)
        except Conflict:
            found = rows_at(self._parts, [(head.id, ABOUT)])
            return bool(found) and found[0].payload == row.payload
        return True

    def lock(
        self, owner: str, thread: str, response_id: str, *, now: float, instead_of: str | None = None
    ) -> ThreadHead | None:
        """Take a conversation's lock for a response, unless another has it; return the head then.

        Taking it again is taking it. `instead_of` names a holder that is known to have ended.
        """
        parts = self._parts
        free = parts.lock.does_not_exist() | (parts.lock == response_id)
        if instead_of is not None:
            free |= parts.lock == instead_of
        theirs = (parts.owner == owner) & parts.listed_for.exists() & parts.deleted.does_not_exist()
        row = parts(thread, HEAD)
        actions = [parts.lock.set(response_id), parts.locked_at.set(to_millis(now))]
        return to_head(self._keyring, row) if self._updated(row, actions, theirs & free) else None

    def release(self, thread: str, response_id: str) -> None:
        """Let a conversation go, if this response still has it."""
        self._updated(self._parts(thread, HEAD), [self._parts.lock.remove()], self._parts.lock == response_id)

    def moved(self, thread: str, *, tip: Reached, now: float, release: str | None = None) -> None:
        """Write down that a conversation has grown up to `tip`, and let it go if this response has it."""
        parts = self._parts
        condition = parts.listed_for.exists()
        tokens = parts.tokens.remove() if tip.tokens is None else parts.tokens.set(tip.tokens)
        actions = [parts.active_at.set(to_millis(now)), parts.tip.set(tip.position), tokens]
        if release is not None:
            condition &= parts.lock == release
            actions.append(parts.lock.remove())
        self._updated(parts(thread, HEAD), actions, condition)

    def changed(self, thread: str) -> None:
        """Count a deletion of items, so that whoever remembers them reads again."""
        parts = self._parts
        self._updated(parts(thread, HEAD), [parts.changes.add(1)], self._lives())

    def keep(self, thread: str, *, until: float) -> None:
        """Keep a chain for longer, if it is still there; when the sweeper looks, it looks again later."""
        parts = self._parts
        actions = [parts.kept_until.set(to_millis(until))]
        self._updated(
            parts(thread, HEAD), actions, parts.kept_until.exists() & parts.deleted.does_not_exist()
        )

    def of_owner(
        self,
        owner: str,
        *,
        behind: tuple[float, str] | None,
        since: float | None,
        until: float | None,
        page: int,
    ) -> Iterator[tuple[float, str]]:
        """Yield time and id of an owner's conversations, latest activity first, `page` at a time.

        The index follows the table with a delay. Times are of their last activity; `until` is excluded.
        """
        parts = self._parts
        between = parts.active_at.between(
            to_millis(since or 0), to_millis(until) - 1 if until is not None else 10**15
        )
        start = index_key(owner, *behind) if behind else None
        with errors_translated():
            for row in parts.listed_index.query(
                owner, between, scan_index_forward=False, page_size=page, last_evaluated_key=start
            ):
                yield to_seconds(row.active_at), row.thread_id

    def all_of(self, owner: str) -> Iterator[str]:
        """Yield the ids of an owner's conversations, as far as the index knows them; opens nothing."""
        for _, thread in self.of_owner(owner, behind=None, since=None, until=None, page=_PAGE):
            yield thread

    def due(self, shard: str, *, now: float, limit: int) -> list[str]:
        """Return ids of threads whose time to be looked at has come, the longest overdue first.

        The index follows the table with a delay: check the head before believing it.
        """
        with errors_translated():
            found = self._parts.due_index.query(shard, self._parts.due_at <= to_millis(now), limit=limit)
            return [row.thread_id for row in found]

    def look_at(self, thread: str, *, at: float) -> None:
        """Have the sweeper look at a thread by then, for what a write may leave that stops half way."""
        parts = self._parts
        actions = [parts.due_shard.set(shard_of(thread, SHARDS)), parts.due_at.set(to_millis(at))]
        later = parts.due_at.does_not_exist() | (parts.due_at > to_millis(at))
        self._updated(parts(thread, HEAD), actions, self._lives() & later)

    def looked_at(self, thread: str, *, now: float, again_at: float | None = None) -> None:
        """Say that it was looked at: the next look is at `again_at`, or when its time is over, if ever."""
        parts = self._parts
        done = (parts.due_at <= to_millis(now)) & parts.deleted.does_not_exist()
        if again_at is not None:
            self._updated(parts(thread, HEAD), [parts.due_at.set(to_millis(again_at))], done)
            return
        never = [parts.due_shard.remove(), parts.due_at.remove()]
        if not self._updated(parts(thread, HEAD), never, done & parts.kept_until.does_not_exist()):
            later = [parts.due_at.set(parts.kept_until)]
            self._updated(parts(thread, HEAD), later, done & (parts.kept_until > to_millis(now)))

    def mark_deleted(self, thread: str, *, now: float, owner: str | None = None) -> bool:
        """Mark a thread as deleted: from here on readers find nothing of it. `False` if it is not there."""
        parts, at = self._parts, to_millis(now)
        condition = parts.owner.exists() if owner is None else parts.owner == owner
        actions = [
            parts.deleted.set(True),
            parts.due_shard.set(shard_of(thread, SHARDS)),
            parts.due_at.set(at),
            parts.listed_for.remove(),
            parts.lock.remove(),
        ]
        # Deleted at this very moment is deleted by this call: its answer was lost, and it was sent again.
        mine = parts.deleted.does_not_exist() | (parts.due_at == at)
        return self._updated(parts(thread, HEAD), actions, condition & mine)

    def expire(self, thread: str, *, now: float) -> bool:
        """Mark a chain as deleted if its time is over; `False` if it is not, or is kept for longer by now."""
        parts = self._parts
        is_over = (parts.kept_until <= to_millis(now)) & parts.deleted.does_not_exist()
        return self._updated(parts(thread, HEAD), [parts.deleted.set(True)], is_over)

    def is_deleted(self, thread: str) -> bool:
        """Whether a thread is marked as deleted, or is gone."""
        head = self.head(thread)
        return head is None or head.deleted

    def _lives(self) -> Any:
        return self._parts.owner.exists() & self._parts.deleted.does_not_exist()

    def _updated(self, row: Part, actions: list[Any], condition: Any) -> bool:
        """Update a part, which then holds all of it; `False` if the condition does not hold.

        Every update may be repeated: where its answer was lost, its condition holds again, or it is of no
        interest who did it.
        """
        try:
            with errors_translated():
                row.update(actions=actions, condition=condition)
        except Conflict:
            return False
        return True
