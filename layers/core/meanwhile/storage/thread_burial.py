"""What becomes of deleted threads: tombstones, in as many steps as it takes."""

import json

from meanwhile.domain.paths import Path
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.dynamodb import Conflict, errors_translated
from meanwhile.storage.thread_batch import ITEMS, POINTER, entries_of, part_of
from meanwhile.storage.thread_table import ABOUT, HEAD, Part, to_millis

TOMBSTONE_SECONDS = 30 * 86_400
_HEAD_OUTLASTS = 30 * 86_400
"""Seconds by which a head's tombstone outlasts the others, for tables remove what has expired late, and in
any order: who comes with the key that names this place must find all of them, or none."""
_LAST_LOOK_AFTER = 86_400
"""Seconds after which what a slow writer has left since is removed, too."""
STRAYS_AFTER = 86_400
"""Seconds after which an object that no batch names is nobody's: a write is done, or dead, by then."""


class ThreadBurial:
    """Removes what there is of deleted threads, and what half-done writes have left in those that live."""

    def __init__(self, parts: type[Part], blobs: Blobs) -> None:
        self._parts = parts
        self._blobs = blobs

    def bury(self, thread: str, *, now: float, at_most: int) -> bool:
        """Remove up to `at_most` parts of a thread that is marked as deleted; whether nothing is left to do.

        The place behind its tip is taken first, so that no append that comes late adds anything. What is done
        is remembered on the head: the next call goes on from there. A day after the last part is gone, all of
        it is looked at once more.
        """
        parts = self._parts
        with errors_translated():
            try:
                head = parts.get(thread, HEAD, consistent_read=True)
            except parts.DoesNotExist:
                return True
        if not head.deleted:
            return True
        until = int(now) + TOMBSTONE_SECONDS
        if head.buried_to is None:
            self._close(head, until)
            with errors_translated():
                parts(thread, ABOUT, deleted=True, expires_at=until).save()
        return self._bury_parts(head, now, until, at_most)

    def remove_strays(self, thread: str, *, now: float) -> bool:
        """Remove objects that no batch names: their write, or the one that was to remove them, has died.

        `False` if some are left that are too young to tell.
        """
        written = dict(self._blobs.all(thread))
        if not written:
            return True
        parts = self._parts
        with errors_translated():
            named = {
                row.blob
                for row in parts.query(
                    thread,
                    parts.part.startswith(ITEMS),
                    consistent_read=True,
                    attributes_to_get=["thread_id", "part", "blob"],
                )
            }
        strays = written.keys() - named
        old = {key for key in strays if written[key] + STRAYS_AFTER < now}
        for key in sorted(old):
            self._blobs.delete(key)
        return strays == old

    def _close(self, head: Part, until: int) -> None:
        """Put a tombstone where the next batch would stand."""
        parts = self._parts
        while True:
            with errors_translated():
                found = parts.query(
                    head.thread_id,
                    parts.part.startswith(ITEMS),
                    consistent_read=True,
                    scan_index_forward=False,
                    limit=1,
                )
                last = next(iter(found), None)
            if last is not None and last.deleted:
                return
            tip = _end_of(last) if last is not None else _start_of(head)
            try:
                with errors_translated():
                    parts(head.thread_id, part_of(tip), deleted=True, expires_at=until).save(
                        condition=parts.thread_id.does_not_exist()
                    )
            except Conflict:
                continue
            return

    def _bury_parts(self, head: Part, now: float, until: int, at_most: int) -> bool:
        parts, thread = self._parts, head.thread_id
        with errors_translated():
            found = list(
                parts.query(
                    thread,
                    parts.part > head.buried_to if head.buried_to else None,
                    consistent_read=True,
                    attributes_to_get=["thread_id", "part"],
                    limit=at_most,
                )
            )
            with parts.batch_write() as batch:
                for row in found:
                    if row.part.startswith(ITEMS):
                        batch.save(parts(thread, row.part, deleted=True, expires_at=until))
                    elif row.part.startswith(POINTER):
                        batch.delete(row)
        if len(found) < at_most:
            self._blobs.delete_all(thread)
            self._done(head, now, until)
            return True
        with errors_translated():
            parts(thread, HEAD).update(actions=[parts.buried_to.set(found[-1].part)])
        return False

    def _done(self, head: Part, now: float, until: int) -> None:
        """Leave a bare head, due once more; the second time, for nobody."""
        parts = self._parts
        expires_at = head.expires_at or until + _HEAD_OUTLASTS
        bare = parts(head.thread_id, HEAD, deleted=True, expires_at=expires_at, path=head.path)
        if head.expires_at is None:
            bare.due_at, bare.due_shard = to_millis(now + _LAST_LOOK_AFTER), head.due_shard
        with errors_translated():
            bare.save()


def _end_of(row: Part) -> int:
    first = int(row.part.removeprefix(ITEMS))
    return first + len(list(entries_of(row, first)))


def _start_of(head: Part) -> int:
    return Path.from_json(json.loads(head.path)).start if head.path else 0
