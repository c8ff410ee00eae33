"""The one table, `responses`: every part of a response is an item under its id.

| part         | holds                                                         |
|--------------|---------------------------------------------------------------|
| `head`       | owner, times, how it ended, its model; carries both indexes   |
| `lease`      | epoch, until, watched_until, attempts, not_before             |
| `log#000007` | batch number 7                                                |
| `output`     | the result, written at the end                                |
| `request`    | what was asked                                                |
| `mark`       | which response a key or a request has made (see `marks.py`)   |
| `watch#...`  | that an owner's response is being watched (see `watches.py`)  |

Content sits in `payload`, or in the bucket under the key in `blob`. A deleted part stays as a tombstone:
its keys, `deleted` and `expires_at`; a head's also says where it stood in whose list, for who is turning
the pages, and names nobody. Without `owner` and `created_at` it is in no index.
"""

from collections.abc import Sequence

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection
from pynamodb.models import Model

from meanwhile.storage.dynamodb import rows_at

HEAD, LEASE, OUTPUT, REQUEST, MARK = "head", "lease", "output", "request", "mark"


class OpenIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """Responses that the sweeper must look at, by when. Sparse: ended ones are not in it."""

    class Meta:
        """Named in the template."""

        index_name = "open"
        projection = KeysOnlyProjection()

    open_shard = UnicodeAttribute(hash_key=True)
    due_at = NumberAttribute(range_key=True)


class OwnerIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """Everybody's responses, each owner's in the order of their making. Only heads are in it."""

    class Meta:
        """Named in the template; what is projected costs a write unit whenever it changes."""

        index_name = "by_owner"
        projection = IncludeProjection(["background", "deleted", "expires_at", "payload", "status", "store"])

    owner = UnicodeAttribute(hash_key=True)
    created_at = NumberAttribute(range_key=True)


class Item(Model):
    """One part of one response; which attributes it has depends on the part."""

    class Meta:
        """Filled in by `bound_to`; the times fit inside a lease, the library's own do not."""

        table_name: str
        connect_timeout_seconds = 1
        read_timeout_seconds = 2
        max_retry_attempts = 2
        max_pool_connections = 64

    response_id = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()
    deleted = BooleanAttribute(null=True)

    payload = BinaryAttribute(null=True, legacy_encoding=False)
    blob = UnicodeAttribute(null=True)

    # head
    owner = UnicodeAttribute(null=True)
    created_at = NumberAttribute(null=True)
    stood_in = UnicodeAttribute(null=True)
    stood_at = NumberAttribute(null=True)
    background = BooleanAttribute(null=True)
    store = BooleanAttribute(null=True)
    status = UnicodeAttribute(null=True)
    resends = NumberAttribute(null=True)
    open_shard = UnicodeAttribute(null=True)
    due_at = NumberAttribute(null=True)
    thread = UnicodeAttribute(null=True)
    open_index = OpenIndex()
    owner_index = OwnerIndex()

    # lease; times in milliseconds, which DynamoDB numbers hold exactly
    epoch = NumberAttribute(null=True)
    until = NumberAttribute(null=True)
    watched_until = NumberAttribute(null=True)
    attempts = NumberAttribute(null=True)
    walls = NumberAttribute(null=True)
    first_claimed_at = NumberAttribute(null=True)
    not_before = NumberAttribute(null=True)

    # log
    first_seq = NumberAttribute(null=True)
    count = NumberAttribute(null=True)  # type: ignore[assignment]  # hides Model.count, a scan nobody wants
    nonce = UnicodeAttribute(null=True)

    # mark
    made = UnicodeAttribute(null=True)
    asked = UnicodeAttribute(null=True)


def bound_to(table_name: str) -> type[Item]:
    """Return the item class of the table with this name."""
    meta = type("Meta", (Item.Meta,), {"table_name": table_name})
    return type("BoundItem", (Item,), {"Meta": meta})


def items_of(items: type[Item], response_id: str, parts: Sequence[str]) -> list[Item]:
    """Return some parts of a response in one strongly consistent call, as far as they are there.

    Raises:
        Unavailable: DynamoDB did not return all of them, twice over.
    """
    return rows_at(items, [(response_id, part) for part in parts])
