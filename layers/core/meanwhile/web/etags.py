"""Versions in headers: a change is made to what its caller has read, or not at all."""

import re

from starlette.datastructures import Headers

from meanwhile.domain.errors import InvalidRequest

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"

ETAG_PATTERN = '(W/)?"[0-9]{1,15}"'
"""Ours; proxies that compress weaken it."""
_TAG = re.compile(r'(?:W/)?"([0-9]{1,15})"')


def etag_of(version: int) -> dict[str, str]:
    """Return the header that names a version."""
    return {"etag": f'"{version}"'}


def wanted_version(headers: Headers) -> int | None:
    """Return the version that a change is for; `None` is any.

    Raises:
        InvalidRequest: It names none of ours, or several.
    """
    lines = headers.getlist(IF_MATCH)
    said = ",".join(lines).strip()
    if not lines or said == "*":
        return None
    found = _TAG.fullmatch(said)
    if found is None:
        raise InvalidRequest(
            f"{IF_MATCH} takes one ETag of this service, or *.", param=IF_MATCH, code="invalid_value"
        )
    return int(found[1])


def is_known(version: int, headers: Headers) -> bool:
    """Whether the caller has this version already."""
    said = ",".join(headers.getlist(IF_NONE_MATCH))
    return said.strip() == "*" or str(version) in _TAG.findall(said)
