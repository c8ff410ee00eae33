"""Marks: small items that say which response an idempotency key, or a request, has made.

Each is alone in a partition named by a keyed hash: neither the key nor the request can be read from it, nor
guessed, and what two owners send has two names. The hashes are made under the owner's first data key, which
rotation leaves in place: a retry must find its mark on either side of a rotation.
"""

import hmac
import struct
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from meanwhile.domain.attempt import Keyed, Trace
from meanwhile.domain.errors import Unavailable
from meanwhile.storage.dynamodb import Conflict, errors_translated
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.table import MARK, Item

_INFO = b"meanwhile/marks/1"


class MarkStore:
    """The marks of every owner. Reads are strongly consistent."""

    def __init__(self, items: type[Item], keyring: Keyring) -> None:
        self._items = items
        self._keyring = keyring

    def take(
        self, owner: str, key: str, digest: bytes, *, response_id: str, now: float, until: float
    ) -> Keyed:
        """Take an idempotency key for a response, unless it is taken; return what stands there then.

        One call if it was free. The id is the write's nonce: a put whose answer was lost finds its own.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """
        items, hashed = self._items, Hashed(self._keyring, owner)
        body = hashed("body", digest)
        item = items(
            f"key_{hashed('key', key.encode())}",
            MARK,
            made=response_id,
            asked=body,
            created_at=int(now),
            expires_at=int(until),
        )
        try:
            with errors_translated():
                item.save(condition=items.response_id.does_not_exist() | (items.expires_at <= int(now)))
        except Conflict as conflict:
            there = self._get(item.response_id)
            if there is None:
                raise Unavailable("a key was let go at this moment") from conflict
            item = there
        return Keyed(
            response_id=item.made or "",
            created_at=int(item.created_at or 0),
            same_request=hmac.compare_digest(item.asked or "", body),
        )

    def traced(self, owner: str, digest: bytes, *, now: float) -> str | None:
        """Return the response that this request has made of late, the newest if it made several.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """
        item = self._get(_trace_name(self._keyring, owner, digest))
        return item.made if item is not None and item.expires_at > now else None

    def _get(self, name: str) -> Item | None:
        with errors_translated():
            try:
                return self._items.get(name, MARK, consistent_read=True)
            except self._items.DoesNotExist:
                return None


class Hashed:
    """Keyed hashes of one owner: nobody without the owner's data key can make or check one."""

    def __init__(self, keyring: Keyring, owner: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=_INFO)
        self._key = derived.derive(keyring.first(owner).secret)
        self._owner = owner.encode()

    def __call__(self, what: str, content: bytes) -> str:
        """Return 64 hex digits, others for every owner and kind of content."""
        parts = (self._owner, what.encode(), content)
        said = b"".join(struct.pack(">I", len(part)) + part for part in parts)
        return hmac.new(self._key, said, sha256).hexdigest()


def trace_item(items: type[Item], keyring: Keyring, owner: str, trace: Trace, made: str) -> Item:
    """Return the item of a trace, to be written together with the response it leads to."""
    name = _trace_name(keyring, owner, trace.digest)
    return items(name, MARK, made=made, expires_at=trace.expires_at)


def _trace_name(keyring: Keyring, owner: str, digest: bytes) -> str:
    return f"trace_{Hashed(keyring, owner)('trace', digest)}"
