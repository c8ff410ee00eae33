"""What a thread's head, and what is said about it, look like in the table."""

import json

from meanwhile.domain.ids import shard_of
from meanwhile.domain.paths import CONVERSATION, Path
from meanwhile.domain.response import SHARDS
from meanwhile.domain.threads import About, ThreadHead
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.payload import pack, unpack
from meanwhile.storage.thread_table import ABOUT, HEAD, Part, to_millis, to_seconds


def head_row(parts: type[Part], keyring: Keyring, head: ThreadHead) -> Part:
    """Return a head as the table keeps it, its path proven."""
    row = parts(
        head.id,
        HEAD,
        owner=head.owner,
        created_at=to_millis(head.created_at),
        active_at=to_millis(head.active_at),
        path=json.dumps(head.path.to_json(), separators=(",", ":")),
        tip=head.tip,
        tokens=head.tokens,
        asked=head.asked,
    )
    if head.id.startswith(f"{CONVERSATION}_"):
        row.listed_for = head.owner
    if head.kept_until is not None:
        row.kept_until = row.due_at = to_millis(head.kept_until)
        row.due_shard = shard_of(head.id, SHARDS)
    row.payload = keyring.seal(head.owner, head.id).close(b"", HEAD, row.path or "")
    return row


def to_head(keyring: Keyring, row: Part) -> ThreadHead:
    """Return the head that a row keeps.

    Raises:
        Tampered: Its path is not the one that was written.
    """
    owner, deleted = row.owner or "", bool(row.deleted)
    if not deleted:
        keyring.seal(owner, row.thread_id).open(row.payload or b"", HEAD, row.path or "")
    return ThreadHead(
        id=row.thread_id,
        owner=owner,
        path=Path.from_json(json.loads(row.path)) if row.path else Path.root(row.thread_id),
        created_at=to_seconds(row.created_at),
        active_at=to_seconds(row.active_at),
        tip=int(row.tip or 0),
        tokens=None if row.tokens is None else int(row.tokens),
        changes=int(row.changes or 0),
        asked=row.asked,
        lock=row.lock,
        locked_at=to_seconds(row.locked_at),
        kept_until=None if row.kept_until is None else to_seconds(row.kept_until),
        deleted=deleted,
    )


def about_row(parts: type[Part], keyring: Keyring, head: ThreadHead, about: About) -> Part:
    """Return what is said about a conversation as the table keeps it, sealed."""
    created_at = to_millis(about.created_at)
    row = parts(head.id, ABOUT, version=about.version, created_at=created_at)
    said = {
        "title": about.title,
        "tags": list(about.tags),
        "metadata": dict(about.metadata),
        "pinned": list(about.pinned),
    }
    seal = keyring.seal(head.owner, head.id)
    row.payload = seal.close(pack(said), ABOUT, about.version, created_at)
    return row


def to_about(keyring: Keyring, owner: str, row: Part) -> About | None:
    """Return what a row says about a conversation; `None` if that was deleted.

    Raises:
        Tampered: It is not what was written there.
    """
    if row.deleted:
        return None
    version, created_at = int(row.version or 0), int(row.created_at or 0)
    seal = keyring.seal(owner, row.thread_id)
    said = unpack(seal.open(row.payload or b"", ABOUT, version, created_at))
    return About(
        title=said["title"],
        tags=tuple(said["tags"]),
        metadata=said["metadata"],
        pinned=tuple(said["pinned"]),
        version=version,
        created_at=to_seconds(created_at),
    )
