"""The head of a response as an item, and back."""

from meanwhile.domain.ids import shard_of
from meanwhile.domain.response import SHARDS, Head, Status, name_on_tombstone
from meanwhile.storage.table import HEAD, Item


def head_item(items: type[Item], head: Head) -> Item:
    """Return the item of an open response, which is in the index."""
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
        thread=head.thread,
    )


def buried_item(items: type[Item], head: Head, *, until: int) -> Item:
    """Return the tombstone of a head."""
    return items(
        head.id,
        HEAD,
        deleted=True,
        expires_at=until,
        stood_in=name_on_tombstone(head.owner, head.id),
        stood_at=head.created_at,
    )


def key_in_owner_index(head: Head, owner: str) -> dict[str, dict[str, str]]:
    """Return where a head stands in its owner's index, as DynamoDB takes it to go on behind it."""
    return {
        "owner": {"S": owner},
        "created_at": {"N": str(head.created_at)},
        "response_id": {"S": head.id},
        "part": {"S": HEAD},
    }


def to_head(item: Item) -> Head:
    """Return the head an item holds; of a tombstone, only where in whose list it stood."""
    return Head(
        id=item.response_id,
        owner=item.owner or item.stood_in or "",
        created_at=item.created_at or item.stood_at or 0,
        background=bool(item.background),
        store=bool(item.store),
        expires_at=int(item.expires_at),
        status=Status(item.status) if item.status else Status.QUEUED,
        due_at=None if item.due_at is None else int(item.due_at),
        resends=int(item.resends or 0),
        deleted=bool(item.deleted),
        thread=item.thread,
    )
