"""The responses: create, retrieve, cancel, delete, and what was asked."""

import re
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from meanwhile import api, wiring
from meanwhile.domain.answer import Answer
from meanwhile.domain.errors import ResponseNotFound
from meanwhile.domain.request import Json
from meanwhile.domain.wire import of_answer
from meanwhile.operations.responses.wait import RUNNING
from meanwhile.web.accepting import accepted
from meanwhile.web.attempts import replayed_or_new
from meanwhile.web.auth import Owner
from meanwhile.web.create import to_asked
from meanwhile.web.documents import FAILURES, IDEMPOTENT, returns, takes
from meanwhile.web.pages import page
from meanwhile.web.schemas.base import Includable
from meanwhile.web.streaming import HEADERS, MEDIA_TYPE, frames
from meanwhile.web.waiting import body_when_ended

router = APIRouter(tags=["Responses"])

_POLL_AFTER_MS = "2000"
_ID = re.compile(r"resp_[0-9a-f]{48}")


async def _response_id(response_id: str) -> str:
    """Let only what can be an id of ours reach the table."""
    if not _ID.fullmatch(response_id):
        raise ResponseNotFound(response_id[:64])
    return response_id


ResponseId = Annotated[str, Depends(_response_id)]
Include = Annotated[list[Includable], Query(alias="include[]", description="Taken, and not needed here.")]


_CREATED = returns("Response", poll_after=True, streams=True, replayed=True)


@router.post("/responses", operation_id="createResponse", openapi_extra=takes("CreateResponse") | IDEMPOTENT,
             responses=FAILURES | _CREATED)  # fmt: skip
async def create(request: Request, owner: Owner) -> Response:
    """Ask a model. With `background` the answer comes at once, with `stream` bit by bit, else at the end."""
    taken, asked = await accepted(request, owner, to_asked)
    head = taken.head
    headers = replayed_or_new(replayed=taken.replayed)
    if asked.stream:
        if taken.replayed:  # what was stored is what every reader is shown
            _, asked = await run_in_threadpool(wiring.read().record, owner, head.id, result=False)
        return _streamed(frames(head, asked, is_new=not taken.replayed), headers)
    if taken.replayed and (asked.background or head.has_ended):
        found = await run_in_threadpool(wiring.read(), owner, head.id)
        return _as_it_stands(found, headers)
    if asked.background:
        return _as_it_stands(of_answer(head, asked, Answer(head.id, head.background)))
    return StreamingResponse(body_when_ended(head, asked), media_type="application/json", headers=headers)


@router.get("/responses/{response_id}", operation_id="getResponse",
            responses=FAILURES | returns("Response", poll_after=True, streams=True))  # fmt: skip
def retrieve(
    owner: Owner,
    response_id: ResponseId,
    stream: Annotated[bool, Query(description="Send its events, live or ended.")] = False,
    starting_after: Annotated[
        int | SkipJsonSchema[None],
        Query(ge=0, description="With `stream`: send the events behind this `sequence_number`."),
    ] = None,
    include_obfuscation: Annotated[  # noqa: ARG001
        bool, Query(description="Taken; no padding is added.")
    ] = True,
    include: Include = [],  # noqa: ARG001, B006  # FastAPI copies defaults
) -> Response:
    """Return where a response stands, with the text it has so far; or stream its events."""
    if stream:
        record, asked = wiring.read().record(owner, response_id, result=False)
        after = -1 if starting_after is None else starting_after
        return _streamed(frames(record.head, asked, after=after))
    return _as_it_stands(wiring.read()(owner, response_id))


@router.post("/responses/{response_id}/cancel", operation_id="cancelResponse",
             responses=FAILURES | returns("Response"))  # fmt: skip
def cancel(owner: Owner, response_id: ResponseId) -> JSONResponse:
    """End a response that runs. Cancelling it again returns the same."""
    return JSONResponse(api.cancel()(owner, response_id))


@router.delete("/responses/{response_id}", operation_id="deleteResponse",
               responses=FAILURES | returns("ResponseDeleted"))  # fmt: skip
def delete(owner: Owner, response_id: ResponseId) -> JSONResponse:
    """Delete a response that has ended."""
    api.delete()(owner, response_id)
    return JSONResponse({"id": response_id, "object": "response.deleted", "deleted": True})


@router.get("/responses/{response_id}/input_items", operation_id="listInputItems",
            responses=FAILURES | returns("ItemList"))  # fmt: skip
def input_items(
    owner: Owner,
    response_id: ResponseId,
    after: Annotated[
        str | SkipJsonSchema[None], Query(description="The id of the last item of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    include: Include = [],  # noqa: ARG001, B006  # FastAPI copies defaults
) -> JSONResponse:
    """Return what was asked, item by item, the newest first."""
    _, asked = wiring.read().record(owner, response_id)
    return JSONResponse(page(asked.input, after=after, limit=limit, newest_first=order == "desc"))


def _streamed(
    events: AsyncGenerator[bytes, None], headers: Mapping[str, str] = MappingProxyType({})
) -> StreamingResponse:
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers={**HEADERS, **headers})


def _as_it_stands(found: Json, headers: Mapping[str, str] = MappingProxyType({})) -> JSONResponse:
    polled = {"openai-poll-after-ms": _POLL_AFTER_MS} if found["status"] in RUNNING else {}
    return JSONResponse(found, headers={**headers, **polled})
