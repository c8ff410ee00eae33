"""Server-sent events: a response's history as a stream of whole frames."""

import json
from collections.abc import AsyncGenerator

from meanwhile import api
from meanwhile.domain.errors import ServiceError
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.web.errors import error_object
from meanwhile.web.unexpected import Stopped

MEDIA_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""No proxy may keep what passes, or gather it."""

_SIGN_OF_LIFE = b": keep-alive\n\n"
_DONE = b"data: [DONE]\n\n"


async def frames(
    head: Head, request: Request, *, after: int = -1, is_new: bool = False
) -> AsyncGenerator[bytes, None]:
    """Yield the frames of the events behind number `after`, each whole, then the mark that all was sent.

    What keeps a stream from its end is told in the `error` event that SDKs raise: a stream that just ends
    would look like a whole one. Its number is the last event's, so that it can be resumed from.
    """
    cursor = after
    error: ServiceError | None = None
    with Stopped(response_id=head.id) as stopped:
        try:
            async for event in api.follow()(head, request, after=after, is_new=is_new):
                if event is None:
                    yield _SIGN_OF_LIFE
                    continue
                cursor = event["sequence_number"]
                yield frame(event)
        except ServiceError as why:
            error = why
        else:
            yield _DONE
    if stopped.by is not None:
        error = ServiceError()
    if error is not None:
        yield frame({"type": "error", "sequence_number": max(0, cursor), "error": error_object(error)})


_LINE_BREAKS = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"})
"""JSON lets them be, and clients that read line by line take them for ends of lines."""


def frame(event: Json) -> bytes:
    """Return one event as a frame, its JSON on one line."""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).translate(_LINE_BREAKS)
    return f"event: {event['type']}\ndata: {data}\n\n".encode()
