"""Delete an owner: no key of theirs opens a door, no content of theirs opens, and none is kept for ever."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import OwnerNotFound
from meanwhile.domain.keys import ApiKey
from meanwhile.storage.api_keys import ApiKeys
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.threads import ThreadStore


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was ended."""

    owner: str
    keys: tuple[ApiKey, ...]
    """API keys that were good for something until now."""
    users: tuple[str, ...]
    """End users under the account whose data went with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOwner:
    """Destroys what unlocks an owner's content. It cannot be undone; safe to repeat.

    Responses go when their time is over, as ever. Conversations have none: the sweeper is told to remove
    them. Those that were made in the half minute after are found when it is repeated.
    """

    keys: ApiKeys
    keyring: Keyring
    threads: ThreadStore
    now: Callable[[], float]

    def __call__(self, owner: str) -> Deleted:
        """Revoke the owner's API keys, then destroy the data keys, of every end user under it too.

        Raises:
            OwnerNotFound: Nobody has ever been called that; most likely it is misspelt.
        """
        keys = [key for key in self.keys.all() if key.owner == owner]
        if not keys and not self.keyring.knows(owner):
            raise OwnerNotFound(f"Nothing is kept of an owner {owner}.")
        at = int(self.now())
        ended = tuple(key for key in keys if key.revoked_at is None)
        for key in ended:
            self.keys.revoke(key, at=at)
        self.keyring.destroy(owner)  # before the look for users: from here on none is added
        under = self.keyring.all_users_of(owner)
        users = tuple(user for user, lives in under.items() if lives)
        for user in users:
            self.keyring.destroy(user)
        for each in (owner, *under):
            for thread in self.threads.all_of(each):
                self.threads.mark_deleted(thread, now=self.now())
        return Deleted(owner, ended, users)
