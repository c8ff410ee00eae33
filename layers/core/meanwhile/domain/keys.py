"""API keys, and whom they let through: a key is 256 random bits, and only its hash is ever kept.

A key names an account. With the scope `act_as` it may also name an end user, and then the owner of
everything is `account/user`: no account holds a slash, so no user can be mistaken for an account.
"""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from meanwhile.domain.errors import InvalidRequest, NotPermitted

ACCOUNT = r"[A-Za-z0-9_.-]{1,64}"
USER = r"[A-Za-z0-9_.@:+=|-]{1,63}"
"""With its account and the slash 128 characters, the most that a message group of SQS takes."""

_ACCOUNT, _USER = re.compile(ACCOUNT), re.compile(USER)
_KEY = re.compile(r"sk-mw-[A-Za-z0-9_-]{43}")
_PREFIX = "sk-mw-"
_SECRET_BYTES = 32
_ID_DIGITS = 16


class Scope(StrEnum):
    """What a key may do beyond acting for its own account."""

    ACT_AS = "act_as"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key; times in seconds since 1970."""

    hash: str
    """SHA-256 of the key, in hex. Nothing slower is needed: 256 random bits cannot be guessed."""
    owner: str
    name: str = ""
    scopes: frozenset[str] = field(default_factory=frozenset)
    created_at: int
    expires_at: int | None = None
    """When it ends by itself, as it was made to."""
    overlap_until: int | None = None
    """Until when it works beside the key that took its place; apart, for that one is made to live as long."""
    revoked_at: int | None = None

    @property
    def id(self) -> str:
        """What names it in lists and commands; opens nothing."""
        return id_of(self.hash)

    @property
    def ends_at(self) -> int | None:
        """When it ends unless it is revoked before."""
        return min((end for end in (self.expires_at, self.overlap_until) if end is not None), default=None)

    def is_good(self, at: float) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked_at is None and (self.ends_at is None or at < self.ends_at)

    def state(self, at: float) -> str:
        """Return `good`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "good" if self.is_good(at) else "expired"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an account, and what its key may do."""

    account: str
    scopes: Collection[str] = frozenset()

    def owner(self, user: str | None) -> str:
        """Return whom what is asked for belongs to: the account, or a user named under it.

        Raises:
            NotPermitted: The key may not act for anybody else.
            InvalidRequest: No user can be called that.
        """
        if user is None:
            return self.account
        if Scope.ACT_AS not in self.scopes:
            raise NotPermitted("This API key may not act on behalf of others: it lacks the scope 'act_as'.")
        if not _USER.fullmatch(user):
            raise InvalidRequest(
                "X-On-Behalf-Of takes one user: 1 to 63 letters, digits and _ . @ : + = | -",
                param="x-on-behalf-of",
                code="invalid_value",
            )
        return f"{self.account}/{user}"


def new_key() -> str:
    """Return a key nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def looks_like_a_key(text: str) -> bool:
    """Whether it can be one of ours; what cannot be need not be looked up."""
    return _KEY.fullmatch(text) is not None


def hash_of(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def id_of(hashed: str) -> str:
    """Return the public name of the key with this hash."""
    return f"key_{hashed[:_ID_DIGITS]}"


def is_account(text: str) -> bool:
    """Whether it can name an account."""
    return _ACCOUNT.fullmatch(text) is not None


def is_owner(text: str) -> bool:
    """Whether it can name an account, or a user under one."""
    account, slash, user = text.partition("/")
    return is_account(account) and (not slash or _USER.fullmatch(user) is not None)


def account_of(owner: str) -> str:
    """Return the account of an owner; an account is its own."""
    return owner.partition("/")[0]
