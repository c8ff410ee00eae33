"""What a call says in its headers about being the same one again."""

import re

from starlette.datastructures import Headers

from meanwhile.domain.attempt import IDEMPOTENCY_KEY, Attempt
from meanwhile.domain.errors import InvalidRequest

RETRY_COUNT = "x-stainless-retry-count"
"""Sent by the SDKs with every call: how often they have sent it before."""

KEY_PATTERN = "[!-~]{1,255}"
REPLAYED = "idempotent-replayed"


def replayed_or_new(*, replayed: bool) -> dict[str, str]:
    """Return the header that says of an answer that an earlier call has made what is in it."""
    return {REPLAYED: "true"} if replayed else {}


def attempt_of(headers: Headers, digest: bytes) -> Attempt:
    """Return the attempt that these headers belong to.

    Raises:
        InvalidRequest: The key cannot be one.
    """
    return Attempt(digest=digest, key=_key_of(headers), repeats=_count_of(headers) > 0)


def is_known_again(headers: Headers) -> bool:
    """Whether a retry of this call would be led to what this call has made."""
    return IDEMPOTENCY_KEY in headers or RETRY_COUNT in headers


def _key_of(headers: Headers) -> str | None:
    keys = headers.getlist(IDEMPOTENCY_KEY)
    if not keys:
        return None
    if len(keys) > 1 or not re.fullmatch(KEY_PATTERN, keys[0]):
        raise InvalidRequest(
            f"{IDEMPOTENCY_KEY} must come once, with 1 to 255 visible ASCII characters.",
            param=IDEMPOTENCY_KEY,
            code="invalid_value",
        )
    return keys[0]


def _count_of(headers: Headers) -> int:
    said = headers.get(RETRY_COUNT, "")
    return int(said) if re.fullmatch("[0-9]{1,9}", said) else 0
