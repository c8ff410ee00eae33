"""Manage keys: make, list, rotate and revoke API keys."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from meanwhile.domain.errors import KeyNotFound, KeyNotGood
from meanwhile.domain.keys import ApiKey, hash_of, new_key
from meanwhile.storage.api_keys import ApiKeys
from meanwhile.storage.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Made:
    """A new key: the one moment at which it can be seen."""

    secret: str
    key: ApiKey

    def __repr__(self) -> str:
        """Leave the key out of tracebacks."""
        return f"Made(key={self.key!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageKeys:
    """For whoever runs the service; never reached over HTTP."""

    keys: ApiKeys
    keyring: Keyring
    now: Callable[[], float]

    def create(self, owner: str, *, name: str, scopes: Collection[str], lives: int | None) -> Made:
        """Make a key for an account, for so many seconds or for good.

        Raises:
            OwnerDeleted: There is nothing it could open.
        """
        self.keyring.refuse_deleted(owner)
        secret, at = new_key(), int(self.now())
        key = ApiKey(
            hash=hash_of(secret),
            owner=owner,
            name=name,
            scopes=frozenset(scopes),
            created_at=at,
            expires_at=None if lives is None else at + lives,
        )
        self.keys.add(key)
        return Made(secret, key)

    def listed(self, owner: str | None) -> Sequence[ApiKey]:
        """Return the keys of an account, or of all, the oldest first."""
        if owner is not None:
            return self.keys.of(owner)
        return sorted(self.keys.all(), key=lambda key: (key.owner, key.created_at))

    def rotate(self, key_id: str, *, overlap: int) -> tuple[Made, ApiKey]:
        """Make a key like another, which ends `overlap` seconds from now; return both.

        The new one lives as long as the other was made to live.

        Raises:
            KeyNotFound: There is no such key.
            KeyNotGood: It opens nothing any more, so there is nothing to go over from.
        """
        old = self._find(key_id)
        at = int(self.now())
        if not old.is_good(at):
            raise KeyNotGood(f"{key_id} is {old.state(at)}; make a new one.")
        lives = None if old.expires_at is None else old.expires_at - old.created_at
        made = self.create(old.owner, name=old.name, scopes=old.scopes, lives=lives)
        ends = at + overlap if old.ends_at is None else min(at + overlap, old.ends_at)
        self.keys.overlap(old, until=ends)
        return made, old

    def revoke(self, key_id: str) -> ApiKey:
        """End a key for good. Safe to repeat.

        Raises:
            KeyNotFound: There is no such key.
        """
        key = self._find(key_id)
        self.keys.revoke(key, at=int(self.now()))
        return key

    def _find(self, key_id: str) -> ApiKey:
        found = [key for key in self.keys.all() if key.id == key_id]
        if len(found) != 1:
            raise KeyNotFound(f"There is no key {key_id}.")
        return found[0]
