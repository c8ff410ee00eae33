"""Owners' data keys: made by KMS, wrapped in a table without backup, unwrapped in memory for minutes.

A destroyed owner has a tombstone in place of keys, at a version above every other: whoever looks for the
newest key finds it first, so nothing is written for that owner again. A destroyed account (see
`domain/keys.py`) also lets no end user under it begin.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from meanwhile.domain.errors import OwnerDeleted, Tampered, Unavailable
from meanwhile.domain.keys import account_of
from meanwhile.storage.cipher import DataKey, Seal
from meanwhile.storage.dynamodb import Conflict, errors_translated

_DESTROYED = 999_999_999
_FIRST = 1
_CACHED_KEYS = 1_000


class WrappedKey(Model):
    """One version of an owner's data key as KMS wrapped it; bound to a table by `wrapped_keys_in`."""

    class Meta:
        """Filled in by `wrapped_keys_in`; the times fit inside a lease."""

        table_name: str
        connect_timeout_seconds = 1
        read_timeout_seconds = 2
        max_retry_attempts = 2
        max_pool_connections = 16

    owner = UnicodeAttribute(hash_key=True)
    version = NumberAttribute(range_key=True)
    wrapped = BinaryAttribute(null=True, legacy_encoding=False)
    made_at = NumberAttribute()


def wrapped_keys_in(table_name: str) -> type[WrappedKey]:
    """Return the item class of the table with this name."""
    meta = type("Meta", (WrappedKey.Meta,), {"table_name": table_name})
    return type("BoundWrappedKey", (WrappedKey,), {"Meta": meta})


@dataclass(frozen=True, slots=True)
class _Cached:
    key: DataKey
    until: float


class Keyring:
    """Finds, makes, rotates and destroys data keys. Safe to use from many threads."""

    def __init__(
        self,
        items: type[WrappedKey],
        kms: Callable[[], Any],
        *,
        master_key: str,
        now: Callable[[], float],
        cache_seconds: float,
        sealing_seconds: float,
    ) -> None:
        self._items = items
        self._kms = kms
        self._master_key = master_key
        self._now = now
        self._cache_seconds = cache_seconds
        self._sealing_seconds = min(sealing_seconds, cache_seconds)
        self._lock = threading.Lock()
        self._newest: OrderedDict[str, _Cached] = OrderedDict()
        self._opened: OrderedDict[tuple[str, int], _Cached] = OrderedDict()

    def seal(self, owner: str, subject: str) -> Seal:
        """Return what seals and opens the content of one response or thread; asks nobody yet."""
        return Seal(owner, subject, current=self.current, of=self.version)

    def current(self, owner: str) -> DataKey:
        """Return the owner's newest key, made now if there is none.

        The table is asked which one it is more often than KMS is asked to open it: whoever was destroyed
        must not be written for much longer, and what is written once can be read for ever.

        Raises:
            OwnerDeleted: Destroyed, for good.
            Unavailable: KMS or the table does not answer.
        """
        with self._lock:
            cached = self._fresh(self._newest, owner)
        if cached is not None:
            return cached
        asked_at = self._now()
        item = self._newest_item(owner)
        if item is None:
            key = self._make(owner, _FIRST)
        else:
            with self._lock:
                opened = self._fresh(self._opened, (owner, int(item.version)))
            if opened is not None:
                self._keep_newest(owner, opened, asked_at=asked_at)
                return opened
            key = self._unwrap(item)
        self._keep(owner, key, newest=True, asked_at=asked_at)
        return key

    def version(self, owner: str, version: int) -> DataKey:
        """Return one version of the owner's key.

        Raises:
            OwnerDeleted: Destroyed, for good.
            Tampered: There was never such a version.
            Unavailable: KMS or the table does not answer.
        """
        with self._lock:
            newest = self._fresh(self._newest, owner)
            if newest is not None and newest.version == version:
                return newest
            cached = self._fresh(self._opened, (owner, version))
        if cached is not None:
            return cached
        asked_at = self._now()
        newest_item = self._newest_item(owner)
        if newest_item is None:
            raise Tampered("a sealed field of an owner without keys")
        key = self._unwrap(newest_item if newest_item.version == version else self._item(owner, version))
        self._keep(owner, key, newest=newest_item.version == version, asked_at=asked_at)
        return key

    def first(self, owner: str) -> DataKey:
        """Return the owner's first key, for hashes that must come out the same after a rotation, too.

        Raises:
            OwnerDeleted: Destroyed, for good.
            Unavailable: KMS or the table does not answer.
        """
        newest = self.current(owner)
        return newest if newest.version == _FIRST else self.version(owner, _FIRST)

    def rotate(self, owner: str) -> int:
        """Make a new version, used for all that is sealed from now on; return its number.

        Other processes go over to it when they next ask for the newest; what is sealed opens for ever.
        """
        asked_at = self._now()
        item = self._newest_item(owner)
        key = self._make(owner, int(item.version) + 1 if item else _FIRST)
        self._keep(owner, key, newest=True, asked_at=asked_at)
        return key.version

    def destroy(self, owner: str) -> None:
        """Destroy every key of the owner. Safe to repeat; once the caches have run out nothing opens."""
        try:
            with errors_translated():
                self._items(owner, _DESTROYED, made_at=int(self._now())).save()
                for item in list(self._items.query(owner, consistent_read=True)):
                    if item.version != _DESTROYED:
                        item.delete()
        finally:
            self._forget(owner)

    def knows(self, owner: str) -> bool:
        """Whether anything is kept of the owner or of end users under it, a tombstone included."""
        with errors_translated():
            own = list(self._items.query(owner, consistent_read=True, limit=1))
        return bool(own or self.users_of(owner))

    def users_of(self, account: str) -> list[str]:
        """Return the end users under an account whose keys are not destroyed; reads the whole table."""
        return [user for user, lives in self.all_users_of(account).items() if lives]

    def all_users_of(self, account: str) -> dict[str, bool]:
        """Return the end users there have been under an account, and whose keys live; as above."""
        under = self._items.owner.startswith(f"{account}/")
        with errors_translated():
            items = list(self._items.scan(under, consistent_read=True))
        destroyed = {item.owner for item in items if item.version == _DESTROYED}
        return {user: user not in destroyed for user in sorted({item.owner for item in items})}

    def refuse_deleted(self, owner: str) -> None:
        """Let only those pass for whom something can still be written.

        Raises:
            OwnerDeleted: The owner was destroyed, or the account that the owner is under.
        """
        self._newest_item(owner)
        if account_of(owner) != owner:
            self._newest_item(account_of(owner))

    def _newest_item(self, owner: str) -> WrappedKey | None:
        with errors_translated():
            found = list(self._items.query(owner, consistent_read=True, scan_index_forward=False, limit=1))
        if found and found[0].version >= _DESTROYED:
            self._forget(owner)  # older versions may have come into the cache after the newest
            raise OwnerDeleted
        return found[0] if found else None

    def _item(self, owner: str, version: int) -> WrappedKey:
        with errors_translated():
            try:
                return self._items.get(owner, version, consistent_read=True)
            except self._items.DoesNotExist as error:
                self._newest_item(owner)  # destroyed since we looked?
                raise Tampered("a sealed field under a key that never was") from error

    def _make(self, owner: str, version: int) -> DataKey:
        """Make a version, or return the one that somebody else made at the same moment."""
        with _kms_translated():
            made = self._kms().generate_data_key(
                KeyId=self._master_key, KeySpec="AES_256", EncryptionContext=_context(owner, version)
            )
        item = self._items(owner, version, wrapped=made["CiphertextBlob"], made_at=int(self._now()))
        try:
            with errors_translated():
                item.save(condition=self._items.owner.does_not_exist())
        except Conflict:
            return self._unwrap(self._item(owner, version))
        try:
            self.refuse_deleted(owner)
        except OwnerDeleted:
            # Destroyed between our look and our write: take the key back.
            with errors_translated():
                item.delete()
            raise
        return DataKey(version, made["Plaintext"])

    def _unwrap(self, item: WrappedKey) -> DataKey:
        with _kms_translated():
            opened = self._kms().decrypt(
                KeyId=self._master_key,
                CiphertextBlob=item.wrapped,
                EncryptionContext=_context(item.owner, int(item.version)),
            )
        return DataKey(int(item.version), opened["Plaintext"])

    def _fresh(self, cache: "OrderedDict[Any, _Cached]", held: Any) -> DataKey | None:
        cached = cache.get(held)
        if cached is None or cached.until <= self._now():
            cache.pop(held, None)
            return None
        cache.move_to_end(held)
        return cached.key

    def _keep(self, owner: str, key: DataKey, *, newest: bool, asked_at: float) -> None:
        """Remember a key from when the table was asked for it, however long KMS then took."""
        if newest:
            self._keep_newest(owner, key, asked_at=asked_at)
        with self._lock:
            _put(self._opened, (owner, key.version), _Cached(key, asked_at + self._cache_seconds))

    def _keep_newest(self, owner: str, key: DataKey, *, asked_at: float) -> None:
        with self._lock:
            held = self._newest.get(owner)
            # A slow look must not set a rotation back that has finished since.
            if held is None or held.key.version <= key.version:
                _put(self._newest, owner, _Cached(key, asked_at + self._sealing_seconds))

    def _forget(self, owner: str) -> None:
        with self._lock:
            self._newest.pop(owner, None)
            for held in [held for held in self._opened if held[0] == owner]:
                del self._opened[held]


def _context(owner: str, version: int) -> dict[str, str]:
    """Return what KMS binds a wrapped key to, so that none opens in another's or a newer one's place."""
    return {"owner": owner, "version": str(version)}


def _put(cache: "OrderedDict[Any, _Cached]", held: Any, cached: _Cached) -> None:
    cache[held] = cached
    cache.move_to_end(held)
    while len(cache) > _CACHED_KEYS:
        cache.popitem(last=False)


@contextmanager
def _kms_translated() -> Iterator[None]:
    """Let no KMS exception past this module.

    Raises:
        Tampered: The wrapped key is not what KMS gave for this owner.
        Unavailable: KMS does not answer, or throttles.
    """
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidCiphertextException":
            raise Tampered("a wrapped key that does not open") from error
        raise Unavailable("the key service refused") from error
    except BotoCoreError as error:
        raise Unavailable("the key service did not answer") from error
