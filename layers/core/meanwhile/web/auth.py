"""Who calls: from the API key to the owner whom everything belongs to."""

import hashlib
import hmac
import re
from functools import cache
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from meanwhile import wiring
from meanwhile.domain.errors import NotAuthenticated
from meanwhile.settings import Settings, SettingsError

_OWNER = r"[A-Za-z0-9_.-]{1,64}"
_PAIR = re.compile(rf"({_OWNER})=([0-9a-fA-F]{{64}})")
_LOCAL_KEY = re.compile(rf"sk-(local)|sk-local-({_OWNER})")

_bearer = HTTPBearer(auto_error=False, description="An API key.")


async def _owner(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    if credentials is None or not credentials.credentials:
        raise NotAuthenticated("No API key was given. Send it in a header: Authorization: Bearer YOUR_KEY.")
    owner = owner_of(credentials.credentials, wiring.settings())
    if owner is None:
        raise NotAuthenticated("Incorrect API key.")
    return owner


Owner = Annotated[str, Depends(_owner)]
"""The owner whose key came with the request."""


def owner_of(key: str, settings: Settings) -> str | None:
    """Return whom a key belongs to; every known key is compared, each in constant time."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    found = [owner for owner, known in _known(settings.api_keys) if hmac.compare_digest(digest, known)]
    if found:
        return found[0]
    local = _LOCAL_KEY.fullmatch(key) if settings.local_api_keys else None
    return (local[1] or local[2]) if local else None


@cache
def _known(pairs: str) -> tuple[tuple[str, str], ...]:
    """Read `owner=sha256-of-key` pairs."""
    found = [_PAIR.fullmatch(pair.strip()) for pair in pairs.split(",") if pair.strip()]
    known = tuple((pair[1], pair[2].lower()) for pair in found if pair)
    if len(known) < len(found):
        raise SettingsError(f"API_KEYS: pair {found.index(None) + 1} is not owner=sha256")
    return known
