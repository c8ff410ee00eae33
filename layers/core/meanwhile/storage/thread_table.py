"""The table `threads`: every part of a thread is an item under its id.

| part                | holds                                                                        |
|---------------------|------------------------------------------------------------------------------|
| `head`              | owner, path, tip, tokens, lock, times; small: every response in it updates it |
|                     | `asked`: what the call said that made it under a key, hashed                 |
| `about`             | title, tags, metadata of a conversation, and their version                   |
| `items#0000000007`  | the batch whose first item stands at position 7                              |
| `id#<item>#<first>` | that an item may be found in the batch at `first`; believed once it is there |

Content sits in `payload`, or in the bucket in the object named by `blob`. A deleted batch stays as a
tombstone: its keys, `deleted` and `expires_at`. Nothing else in here expires by itself.
"""

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

HEAD, ABOUT = "head", "about"


class ListedIndex(GlobalSecondaryIndex["Part"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """Everybody's conversations, each owner's in the order of their activity. Only their heads are in it."""

    class Meta:
        """Named in the template; it changes whenever a conversation moves, so it carries keys only."""

        index_name = "by_activity"
        projection = KeysOnlyProjection()

    listed_for = UnicodeAttribute(hash_key=True)
    active_at = NumberAttribute(range_key=True)


class DueIndex(GlobalSecondaryIndex["Part"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """Threads that the sweeper must look at, by when: chains when their time is over, what is deleted."""

    class Meta:
        """Named in the template."""

        index_name = "due"
        projection = KeysOnlyProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = NumberAttribute(range_key=True)


class Part(Model):
    """One part of one thread; which attributes it has depends on the part."""

    class Meta:
        """Filled in by `threads_in`; the times fit inside a lease, the library's own do not."""

        table_name: str
        connect_timeout_seconds = 1
        read_timeout_seconds = 2
        max_retry_attempts = 2
        max_pool_connections = 64

    thread_id = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute(null=True)
    deleted = BooleanAttribute(null=True)

    payload = BinaryAttribute(null=True, legacy_encoding=False)
    blob = UnicodeAttribute(null=True)

    # head; times in milliseconds, which DynamoDB numbers hold exactly
    owner = UnicodeAttribute(null=True)
    listed_for = UnicodeAttribute(null=True)
    created_at = NumberAttribute(null=True)
    active_at = NumberAttribute(null=True)
    path = UnicodeAttribute(null=True)
    tip = NumberAttribute(null=True)
    tokens = NumberAttribute(null=True)
    changes = NumberAttribute(null=True)
    asked = UnicodeAttribute(null=True)
    lock = UnicodeAttribute(null=True)
    locked_at = NumberAttribute(null=True)
    kept_until = NumberAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)
    due_at = NumberAttribute(null=True)
    buried_to = UnicodeAttribute(null=True)
    listed_index = ListedIndex()
    due_index = DueIndex()

    # about
    version = NumberAttribute(null=True)

    # items
    entries = UnicodeAttribute(null=True)
    nonce = UnicodeAttribute(null=True)
    revision = NumberAttribute(null=True)

    # id
    first = NumberAttribute(null=True)


def threads_in(table_name: str) -> type[Part]:
    """Return the item class of the table with this name."""
    meta = type("Meta", (Part.Meta,), {"table_name": table_name})
    return type("BoundPart", (Part,), {"Meta": meta})


def to_millis(seconds: float) -> int:
    """Return a time as the table keeps it."""
    return round(seconds * 1000)


def to_seconds(millis: float | None) -> float:
    """Return a time as everybody else takes it."""
    return (millis or 0) / 1000


def index_key(owner: str, active_at: float, thread: str) -> dict[str, dict[str, str]]:
    """Return where a conversation stood in its owner's index, as DynamoDB takes it to go on behind it."""
    return {
        "listed_for": {"S": owner},
        "active_at": {"N": str(to_millis(active_at))},
        "thread_id": {"S": thread},
        "part": {"S": HEAD},
    }
