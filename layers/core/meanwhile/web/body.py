"""Reads the body of a request: JSON that is safe to handle, or an error that says what is wrong with it."""

import json
import math
import re
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from meanwhile.domain.errors import InvalidRequest, TooLarge
from meanwhile.web.params import param_of

MAX_BYTES = 4_500_000
"""What fits into a Lambda event, which holds 6 MB with the body escaped."""

MAX_DEPTH = 100

MAX_NESTED = 100_000
"""Objects and arrays in one body: each takes a hundred times the bytes it came in."""

_DRAINED_BYTES = 4 * MAX_BYTES
"""A client that is still sending does not read, so a body that is too large is read on for a while."""

_LONGEST_INTEGER = 40
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string of JSON, or one that never ends: so that looking for the next is never done twice."""
_UNSAFE = re.compile("[\x00\ud800-\udfff]")

Path = tuple[Any, ...]


async def read_body(request: Request) -> bytes:
    """Return the body as it came.

    Raises:
        TooLarge: It is larger than the service promises to take.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size <= MAX_BYTES:
                pieces.append(piece)
            elif size > _DRAINED_BYTES:
                break
    except ClientDisconnect:
        raise InvalidRequest("The body of the request ended early.") from None
    if size > MAX_BYTES:
        raise TooLarge(f"The request body is too large: {MAX_BYTES} bytes are the limit.")
    return b"".join(pieces)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a body, with nothing in it that storage or a provider would choke on.

    Raises:
        InvalidRequest: It is no JSON object, or holds a character, number or nesting that is refused.
    """
    if _holds_too_much(raw):
        raise InvalidRequest(f"The body holds more than {MAX_NESTED} objects and arrays.")
    try:
        found = json.loads(
            raw.decode(), parse_constant=_refuse_number, parse_float=_float, parse_int=_integer
        )
    except (ValueError, RecursionError):
        raise InvalidRequest("The body of the request is not valid JSON in UTF-8.") from None
    if not isinstance(found, dict):
        raise InvalidRequest("The body of the request must be a JSON object.", code="invalid_type")
    _check(found, strings=b"\\u" in raw)
    return found


def _holds_too_much(raw: bytes) -> bool:
    """Whether more objects and arrays begin in a body than are taken; none of them is made."""
    if _opened(raw) <= MAX_NESTED:  # most bodies are done here, brackets within strings counted
        return False
    return _opened(_STRING.sub(b"", raw)) > MAX_NESTED


def _opened(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _check(root: Any, *, strings: bool) -> None:
    """Walk without recursion. Characters that are refused can only have come as escapes."""
    open_: list[tuple[Any, Path | None, int]] = [(root, None, 1)]
    while open_:
        value, path, depth = open_.pop()
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.", param=_name(path))
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if strings and isinstance(key, str) and _UNSAFE.search(key):
                _refuse_character("name", path)
            if strings and isinstance(inner, str) and _UNSAFE.search(inner):
                _refuse_character("string", (path, key))
            elif isinstance(inner, dict | list):
                open_.append((inner, (path, key), depth + 1))


def _name(path: Path | None) -> str | None:
    steps: list[str | int] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return param_of(reversed(steps))


def _refuse_character(what: str, path: Path | None) -> NoReturn:
    where = _name(path)
    at = f" at '{where}'" if where else ""
    raise InvalidRequest(
        f"Invalid {what}{at}: NUL and lone surrogates are not allowed.", param=where, code="invalid_value"
    )


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(text)


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _integer(text: str) -> int:
    return int(text) if len(text) <= _LONGEST_INTEGER else _refuse_number(text)
