"""How conversations are made under a key: at a place that the key names, all of it or nothing.

The id is a keyed hash of the key, under the owner's first data key, as marks are (see `marks.py`): nobody
else can come to it, and a retry does on either side of a rotation.
"""

from collections.abc import Sequence

from meanwhile.domain.attempt import Making
from meanwhile.domain.ids import HEX_DIGITS
from meanwhile.domain.paths import CONVERSATION
from meanwhile.domain.threads import About, NewItem, ThreadHead
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.dynamodb import Conflict, put_together
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.marks import Hashed
from meanwhile.storage.thread_batch import pointers
from meanwhile.storage.thread_heads import about_row, head_row
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.thread_table import Part


class ThreadBirth:
    """Conversations that are made once, however often and however late a call comes."""

    def __init__(self, parts: type[Part], keyring: Keyring, log: ThreadLog, blobs: Blobs) -> None:
        self._parts = parts
        self._keyring = keyring
        self._log = log
        self._blobs = blobs

    def under(self, owner: str, key: str, digest: bytes) -> Making:
        """Return which conversation an idempotency key makes, and by what this call is told from others.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """
        hashed = Hashed(self._keyring, owner)
        name = hashed("conversation", key.encode())
        return Making(
            id=f"{CONVERSATION}_{name[:HEX_DIGITS]}",
            asked=hashed("made", name.encode() + digest)[:HEX_DIGITS],
        )

    def create(self, head: ThreadHead, about: About, items: Sequence[NewItem], nonce: str) -> bool:
        """Write a conversation and its first items in one call, all or none; `False` if there is some of it.

        What has become of it since, be it a tombstone, stays as it is, however late this write comes.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """
        parts, first = self._parts, head.path.start
        rows = [head_row(parts, self._keyring, head), about_row(parts, self._keyring, head, about)]
        blob: str | None = None
        if items:
            batch = self._log.row(head.owner, head.id, first, items, nonce)
            blob = batch.blob
            rows += [batch, *pointers(parts, head.id, first, [item.id for item in items])]
        try:
            put_together(rows)
        except Conflict:
            if blob:
                self._discard_unless_kept(head, blob)
            return False
        return True

    def _discard_unless_kept(self, head: ThreadHead, blob: str) -> None:
        """Remove the object of a write that came second, but not of one whose answer was lost."""
        there = self._log.at(head.owner, head.id, head.path.start)
        if there is None or there.kept is None or there.kept.blob != blob:
            self._blobs.delete(blob)
