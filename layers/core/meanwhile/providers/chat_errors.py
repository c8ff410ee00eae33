"""What an upstream's refusal means for us: come back later, try again, or give up. Never its own words."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from meanwhile.domain.errors import (
    ProviderBroken,
    ProviderBusy,
    ProviderClosed,
    ProviderError,
    ProviderRejected,
)

_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, 529}
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
_CLOSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
_CLOSED_CODES = frozenset(
    {"authentication_error", "insufficient_quota", "invalid_api_key", "permission_error"}
)
_BUSY_CODES = frozenset(
    {"rate_limit_exceeded", "rate_limit_error", "overloaded_error", "overloaded", "slow_down"}
)
_FINAL_CODES = frozenset(
    {
        "content_filter",
        "context_length_exceeded",
        "invalid_prompt",
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
    }
)
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_LONGEST_WAIT = 3600.0


def error_of_status(status: int, headers: Mapping[str, str], error: Any) -> ProviderError:
    """Return our error for an answer that is not 200; `error` is its body's error object, if it has one."""
    code = code_of(error)
    said = f"The provider answered with HTTP status {status}{f' ({code})' if code else ''}."
    if status in _CLOSED or code in _CLOSED_CODES:  # no quota is sent with 429, and no wait will help
        return ProviderClosed(said)
    if status in _BUSY:
        return ProviderBusy(said, retry_after=retry_after_in(headers))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
        return ProviderBroken(said)
    return ProviderRejected(said)


def error_of_stream(error: Any) -> ProviderError:
    """Return our error for an `error` object inside a stream that began with 200."""
    number = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    if isinstance(number, int) and not isinstance(number, bool) and HTTPStatus.BAD_REQUEST <= number < 600:
        return error_of_status(number, {}, error)
    code = code_of(error)
    said = f"The provider reported an error in its stream{f' ({code})' if code else ''}."
    if code in _CLOSED_CODES:
        return ProviderClosed(said)
    if code in _BUSY_CODES:
        return ProviderBusy(said)
    if code in _FINAL_CODES:
        return ProviderRejected(said)
    return ProviderBroken(said)


def code_of(error: Any) -> str | None:
    """Return the code, or the type, where it looks machine-made: a sentence may quote the user."""
    if not isinstance(error, Mapping):
        return None
    found = (error.get(name) for name in ("code", "type"))
    return next((each for each in found if isinstance(each, str) and _IDENTIFIER.fullmatch(each)), None)


def retry_after_in(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait (RFC 9110, `retry-after-ms`); a date counts from the answer's own date."""
    seconds = _number(headers.get("retry-after-ms"), 1000)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), 1)
    if seconds is None:
        seconds = _between(headers.get("date"), headers.get("retry-after"))
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_WAIT)


def _number(text: str | None, parts: int) -> float | None:
    if text is None or not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip()):
        return None
    return float(text) / parts


def _between(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    try:
        return (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()
    except (ValueError, TypeError):
        return None
