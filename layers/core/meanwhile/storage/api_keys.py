"""The table of API keys: one item per key, under the hash of the key."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from meanwhile.domain.keys import ApiKey
from meanwhile.storage.dynamodb import errors_translated


class _OwnerIndex(GlobalSecondaryIndex["KeyItem"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """The keys of an account, the oldest first."""

    class Meta:
        """Named in the template."""

        index_name = "owner"
        projection = AllProjection()

    owner = UnicodeAttribute(hash_key=True)
    created_at = NumberAttribute(range_key=True)


class KeyItem(Model):
    """What is kept of one key; bound to a table by `api_keys_in`."""

    class Meta:
        """Filled in by `api_keys_in`; every request waits for a key that is not cached."""

        table_name: str
        connect_timeout_seconds = 1
        read_timeout_seconds = 2
        max_retry_attempts = 2
        max_pool_connections = 16

    key_hash = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    name = UnicodeAttribute(null=True)
    scopes = UnicodeSetAttribute(null=True)
    created_at = NumberAttribute()
    expires_at = NumberAttribute(null=True)
    overlap_until = NumberAttribute(null=True)
    revoked_at = NumberAttribute(null=True)
    owner_index = _OwnerIndex()

    def to_domain(self) -> ApiKey:
        """Return the key."""
        return ApiKey(
            hash=self.key_hash,
            owner=self.owner,
            name=self.name or "",
            scopes=frozenset(self.scopes or ()),
            created_at=int(self.created_at),
            expires_at=None if self.expires_at is None else int(self.expires_at),
            overlap_until=None if self.overlap_until is None else int(self.overlap_until),
            revoked_at=None if self.revoked_at is None else int(self.revoked_at),
        )


def api_keys_in(table_name: str) -> type[KeyItem]:
    """Return the item class of the table with this name."""
    meta = type("Meta", (KeyItem.Meta,), {"table_name": table_name})
    return type("BoundKeyItem", (KeyItem,), {"Meta": meta})


class ApiKeys:
    """Finds and keeps API keys."""

    def __init__(self, items: type[KeyItem]) -> None:
        self._items = items

    def find(self, hashed: str) -> ApiKey | None:
        """Return the key with this hash, as of every write before.

        Raises:
            Unavailable: The table did not answer.
        """
        with errors_translated():
            try:
                return self._items.get(hashed, consistent_read=True).to_domain()
            except self._items.DoesNotExist:
                return None

    def add(self, key: ApiKey) -> None:
        """Keep a new key; no other can have its hash, so writing it twice does no harm.

        Raises:
            Unavailable: The table did not answer.
        """
        item = self._items(
            key.hash,
            owner=key.owner,
            name=key.name or None,
            scopes=set(key.scopes) or None,
            created_at=key.created_at,
            expires_at=key.expires_at,
            overlap_until=key.overlap_until,
            revoked_at=key.revoked_at,
        )
        with errors_translated():
            item.save()

    def overlap(self, key: ApiKey, *, until: int) -> None:
        """Let a key that was replaced end at a time.

        Raises:
            Conflict: It is not there.
            Unavailable: The table did not answer.
        """
        with errors_translated():
            self._items(key.hash).update(
                actions=[self._items.overlap_until.set(until)], condition=self._items.key_hash.exists()
            )

    def revoke(self, key: ApiKey, *, at: int) -> None:
        """End a key for good. Safe to repeat: the first time stays.

        Raises:
            Conflict: It is not there.
            Unavailable: The table did not answer.
        """
        first = self._items.revoked_at | at  # `if_not_exists`
        with errors_translated():
            self._items(key.hash).update(
                actions=[self._items.revoked_at.set(first)], condition=self._items.key_hash.exists()
            )

    def of(self, owner: str) -> list[ApiKey]:
        """Return the keys of an account, the oldest first; one made this second may be missing."""
        with errors_translated():
            return [item.to_domain() for item in self._items.owner_index.query(owner)]

    def all(self) -> list[ApiKey]:
        """Return every key there is, none missing; reads the whole table, so it is for commands only."""
        with errors_translated():
            return [item.to_domain() for item in self._items.scan(consistent_read=True)]
