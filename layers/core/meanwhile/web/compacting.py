"""What a caller of `POST /responses/compact` gets: the compacted conversation, or why there is none.

A failure that comes soon has an HTTP status of its own. Signs of life need the status that says that all is
well; so a failure that comes after they have begun is told in the body, beside an `output` that is empty.
"""

from collections.abc import AsyncGenerator
from http import HTTPStatus

from starlette.responses import JSONResponse, Response, StreamingResponse

from meanwhile import wiring
from meanwhile.domain.model_events import NOTHING
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.domain.wire import usage_object
from meanwhile.operations.context.compact import NOTHING_TO_COMPACT
from meanwhile.operations.responses.wait import RUNNING, Wait
from meanwhile.web.errors import INVALID_REQUEST, SERVER_ERROR
from meanwhile.web.unexpected import Stopped
from meanwhile.web.waiting import SIGN_OF_LIFE, as_body, until_ended

_SILENT = 2
"""Signs of life that are held back for the sake of the status: half a minute, as settings come."""

_UNFINISHED = {"code": "compaction_unfinished", "message": "The compaction took longer than a call may wait."}
_CANCELLED = {"code": "compaction_cancelled", "message": "The compaction was cancelled."}

_REFUSALS = {
    "provider_rejected",
    "model_not_found",
    "context_length_exceeded",
    "conversation_not_found",
    "invalid_request",
    NOTHING_TO_COMPACT,
    _CANCELLED["code"],
}
"""Codes of failures that the same call would meet again, or that somebody wanted."""


async def compacted(head: Head, asked: Request) -> Response:
    """Wait for the compaction, and answer with it."""
    wait = Wait(wiring.stores(), wiring.read(), head, asked)
    signs = until_ended(wait, head.id)
    held_back = 0
    async for _ in signs:
        held_back += 1
        if held_back > _SILENT:
            return StreamingResponse(_rest(signs, wait, head), media_type="application/json")
    found, status = _answer(wait, head)
    if status is HTTPStatus.OK:
        return JSONResponse(found)
    return JSONResponse({"error": found["error"]}, status, {"x-should-retry": "false"})


async def _rest(signs: AsyncGenerator[None, None], wait: Wait, head: Head) -> AsyncGenerator[bytes, None]:
    yield SIGN_OF_LIFE
    with Stopped(response_id=head.id):
        async for _ in signs:
            yield SIGN_OF_LIFE
    yield as_body(_answer(wait, head)[0])


def _answer(wait: Wait, head: Head) -> tuple[Json, HTTPStatus]:
    """Return the answer's object and its status; with an `error` where there is no compaction."""
    found = wait.as_known()
    said: Json = {
        "id": head.id,
        "object": "response.compaction",
        "created_at": int(head.created_at),
        "output": [],
        "usage": found["usage"] or usage_object(NOTHING),
    }
    if found["status"] == "completed":
        return said | {"output": found["output"]}, HTTPStatus.OK
    if found["status"] in RUNNING:
        return said | {"error": {"type": SERVER_ERROR, "param": None} | _UNFINISHED}, HTTPStatus.OK
    error = found["error"] or _CANCELLED
    refused = error["code"] in _REFUSALS
    kind = INVALID_REQUEST if refused else SERVER_ERROR
    status = HTTPStatus.BAD_REQUEST if refused else HTTPStatus.INTERNAL_SERVER_ERROR
    return said | {"error": {"type": kind, "param": None} | error}, status
