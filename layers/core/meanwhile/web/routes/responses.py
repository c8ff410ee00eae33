"""The responses: create, retrieve, cancel, delete, and what was asked."""

import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from meanwhile import wiring
from meanwhile.domain.answer import Answer
from meanwhile.domain.errors import InvalidRequest, ResponseNotFound
from meanwhile.domain.request import Json
from meanwhile.domain.wire import of_answer
from meanwhile.operations.watch import RUNNING
from meanwhile.web import errors
from meanwhile.web.attempts import REPLAYED, attempt_of, is_known_again
from meanwhile.web.auth import Owner
from meanwhile.web.body import read_body
from meanwhile.web.create import to_asked
from meanwhile.web.documents import FAILURES, IDEMPOTENT, returns, takes
from meanwhile.web.pages import page
from meanwhile.web.schemas.base import Includable
from meanwhile.web.waiting import body_when_ended

logger = logging.getLogger(__name__)
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


@router.post("/responses", operation_id="createResponse", openapi_extra=takes("CreateResponse") | IDEMPOTENT,
             responses=FAILURES | returns("Response", poll_after=True, replayed=True))  # fmt: skip
async def create(request: Request, owner: Owner) -> Response:
    """Ask a model. With `background` the answer comes at once, else when the response has ended."""
    asked, digest = await run_in_threadpool(to_asked, await read_body(request), wiring.catalogue())
    attempt = attempt_of(request.headers, digest)
    accept = wiring.accept_once()
    if not is_known_again(request.headers):
        errors.must_not_repeat(request)
    taken = await run_in_threadpool(accept, owner, asked, attempt)
    head = taken.head
    about = {"response_id": head.id, "request_id": request.state.request_id}
    logger.info("response asked for again" if taken.replayed else "response accepted", extra=about)
    headers = {REPLAYED: "true"} if taken.replayed else {}
    if taken.replayed and (asked.background or head.has_ended):
        found = await run_in_threadpool(wiring.read(), owner, head.id)
        return _as_it_stands(found, headers)
    if asked.background:
        return _as_it_stands(of_answer(head, asked, Answer(head.id, head.background)))
    return StreamingResponse(body_when_ended(head, asked), media_type="application/json", headers=headers)


@router.get("/responses/{response_id}", operation_id="getResponse",
            responses=FAILURES | returns("Response", poll_after=True))  # fmt: skip
def retrieve(
    owner: Owner,
    response_id: ResponseId,
    stream: Annotated[bool, Query(json_schema_extra={"const": False})] = False,
    starting_after: Annotated[int | SkipJsonSchema[None], Query(ge=0)] = None,  # noqa: ARG001  # for streams
    include_obfuscation: bool = True,  # noqa: ARG001, FBT001  # for streams
    include: Include = [],  # noqa: ARG001, B006  # FastAPI copies defaults
) -> JSONResponse:
    """Return where a response stands, with the text it has so far."""
    if stream:
        raise InvalidRequest("Streaming is not available yet.", param="stream", code="unsupported_parameter")
    return _as_it_stands(wiring.read()(owner, response_id))


@router.post("/responses/{response_id}/cancel", operation_id="cancelResponse",
             responses=FAILURES | returns("Response"))  # fmt: skip
def cancel(owner: Owner, response_id: ResponseId) -> JSONResponse:
    """End a response that runs. Cancelling it again returns the same."""
    return JSONResponse(wiring.cancel()(owner, response_id))


@router.delete("/responses/{response_id}", operation_id="deleteResponse",
               responses=FAILURES | returns("ResponseDeleted"))  # fmt: skip
def delete(owner: Owner, response_id: ResponseId) -> JSONResponse:
    """Delete a response that has ended."""
    wiring.delete()(owner, response_id)
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


def _as_it_stands(found: Json, headers: Mapping[str, str] = MappingProxyType({})) -> JSONResponse:
    polled = {"openai-poll-after-ms": _POLL_AFTER_MS} if found["status"] in RUNNING else {}
    return JSONResponse(found, headers={**headers, **polled})
