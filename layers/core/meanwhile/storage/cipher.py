"""Content sealed under a key of its own: AES-256-GCM, bound to where it belongs.

A sealed field is `form (1 byte) | key version (4) | nonce (12) | ciphertext and tag`. What it belongs to
(owner, item, field, key version, and the clear attributes beside it) is associated data: moved, altered or
under another owner's key, it does not open. Each response and thread has a key derived from its owner's
data key (HKDF-SHA256), so that random nonces never wear a key out.
"""

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from meanwhile.domain.errors import Tampered

_FORM = b"\x01"
_NONCE_BYTES = 12
_HEADER = struct.Struct(">cI")
OVERHEAD = _HEADER.size + _NONCE_BYTES + 16
"""Bytes that sealing adds."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One version of an owner's data key, unwrapped; it never leaves the process."""

    version: int
    secret: bytes

    def __repr__(self) -> str:
        """Name the version only: a key must not reach a log by way of a traceback."""
        return f"DataKey(version={self.version})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a data key never leaves the process")

    def for_subject(self, subject: str) -> AESGCM:
        """Return the cipher of one response or thread."""
        derived = HKDF(SHA256(), length=32, salt=None, info=b"meanwhile/1/" + subject.encode())
        return AESGCM(derived.derive(self.secret))


class Seal:
    """Seals and opens the fields of one subject of one owner."""

    def __init__(
        self,
        owner: str,
        subject: str,
        *,
        current: Callable[[str], DataKey],
        of: Callable[[str, int], DataKey],
    ) -> None:
        self._owner = owner
        self._subject = subject
        self._current = current
        self._of = of
        self._ciphers: dict[int, AESGCM] = {}

    def close(self, plain: bytes, *where: str | int) -> bytes:
        """Seal bytes into the place that `where` names: the item's part, the field, attributes beside it.

        Raises:
            OwnerDeleted: The owner's key is destroyed; nothing may be written any more.
        """
        key = self._current(self._owner)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher(key).encrypt(nonce, plain, self._associated(key.version, where))
        return _HEADER.pack(_FORM, key.version) + nonce + sealed

    def open(self, sealed: bytes, *where: str | int) -> bytes:
        """Return what was sealed into this very place.

        Raises:
            Tampered: It was altered, moved, or belongs to somebody else.
            OwnerDeleted: The owner's key is destroyed.
        """
        if len(sealed) < OVERHEAD:
            raise Tampered("a sealed field that is too short")
        form, version = _HEADER.unpack_from(sealed)
        if form != _FORM:
            raise Tampered("a sealed field of an unknown form")
        nonce, body = sealed[_HEADER.size :][:_NONCE_BYTES], sealed[_HEADER.size + _NONCE_BYTES :]
        try:
            cipher = self._cipher(self._of(self._owner, version))
            return cipher.decrypt(nonce, body, self._associated(version, where))
        except InvalidTag as error:
            raise Tampered("a sealed field that does not belong here") from error

    def _cipher(self, key: DataKey) -> AESGCM:
        if key.version not in self._ciphers:
            self._ciphers[key.version] = key.for_subject(self._subject)
        return self._ciphers[key.version]

    def _associated(self, version: int, where: tuple[str | int, ...]) -> bytes:
        """Join the parts with their lengths, so that no two places share a name."""
        parts = [str(part).encode() for part in (self._owner, self._subject, version, *where)]
        return b"".join(struct.pack(">I", len(part)) + part for part in parts)
