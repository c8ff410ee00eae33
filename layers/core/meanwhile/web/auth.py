"""Who calls: from the API key, and whom it acts for, to the owner whom everything belongs to."""

import re
from typing import Annotated

from fastapi import Depends, Header
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request

from meanwhile import api, wiring
from meanwhile.domain.errors import NotAuthenticated
from meanwhile.domain.keys import ACCOUNT, USER, Caller, Scope

_ON_BEHALF_OF = "x-on-behalf-of"
_LOCAL_KEY = re.compile(rf"sk-(local)|sk-local-({ACCOUNT})")

_bearer = HTTPBearer(auto_error=False, description="An API key.")


def _owner(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    user: Annotated[  # noqa: ARG001  # for the document; the check below comes after that of the key
        str | SkipJsonSchema[None],
        Header(
            alias=_ON_BEHALF_OF,
            description="The end user the call is for; the key needs the scope `act_as`.",
            json_schema_extra={"pattern": f"^{USER}$"},
        ),
    ] = None,
) -> str:
    """Find the owner; in a thread, since a key that is not remembered is looked up."""
    if credentials is None or not credentials.credentials:
        raise NotAuthenticated("No API key was given. Send it in a header: Authorization: Bearer YOUR_KEY.")
    named = request.headers.getlist(_ON_BEHALF_OF)
    return _caller(credentials.credentials).owner(", ".join(named) if named else None)


Owner = Annotated[str, Depends(_owner)]
"""The owner in whose name the request comes."""


def _caller(key: str) -> Caller:
    if wiring.settings().local_api_keys and (local := local_caller(key)):
        return local
    return api.authenticate()(key)


def local_caller(key: str) -> Caller | None:
    """Return who calls with a key of the local stack: it names its account, and may act for anybody in it."""
    found = _LOCAL_KEY.fullmatch(key)
    return Caller(found[1] or found[2], {Scope.ACT_AS}) if found else None
