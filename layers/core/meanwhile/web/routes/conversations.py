"""The conversations: create, find, describe, branch and delete them."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from meanwhile import api
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, ItemNotFound
from meanwhile.domain.ids import is_id
from meanwhile.domain.paths import CONVERSATION
from meanwhile.domain.threads import About
from meanwhile.operations.threads.conversations import Conversation, Wanted
from meanwhile.web import errors
from meanwhile.web.adding import digest_of, first_items
from meanwhile.web.attempts import attempt_of, replayed_or_new
from meanwhile.web.auth import Owner
from meanwhile.web.body import parse_object, read_body
from meanwhile.web.conversing import page_of, shown, time_of, wanted_metadata
from meanwhile.web.documents import (
    CHANGED_SINCE,
    FAILURES,
    FOR_A_VERSION,
    IDEMPOTENT,
    NOT_MODIFIED,
    UNLESS_KNOWN,
    returns,
    takes,
)
from meanwhile.web.etags import etag_of, is_known, wanted_version
from meanwhile.web.schemas.conversations import (
    ChangeConversation,
    CreateConversation,
    ForkConversation,
    UpdateConversation,
)
from meanwhile.web.validation import checked

router = APIRouter(tags=["Conversations"])


async def _conversation_id(conversation_id: str) -> str:
    """Let only what can be an id of ours reach the table."""
    if not is_id(CONVERSATION, conversation_id):
        raise ConversationNotFound(conversation_id[:64])
    return conversation_id


ConversationId = Annotated[str, Depends(_conversation_id)]
RawBody = Annotated[bytes, Depends(read_body)]

_ANSWERS = FAILURES | returns("Conversation", versioned=True)
_MADE = FAILURES | returns("Conversation", versioned=True, replayed=True)
_WANTED_METADATA: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "description": "Only those with all of these, as `metadata[name]=value`.",
            "style": "deepObject",
            "explode": True,
            "schema": {
                "type": "object",
                "maxProperties": 16,
                "additionalProperties": {"type": "string", "maxLength": 512},
            },
        }
    ]
}


@router.post("/conversations", operation_id="createConversation",
             openapi_extra=takes("CreateConversation", required=False) | IDEMPOTENT,
             responses=_MADE)  # fmt: skip
def create(request: Request, owner: Owner, raw: RawBody) -> JSONResponse:
    """Make a conversation, if wanted with its first items in it."""
    said = parse_object(raw or b"{}")
    body = checked(CreateConversation, said)
    attempt = attempt_of(request.headers, digest_of(said, "create"))
    items, pinned = first_items(owner, body.items or (), body.pinned or ())
    if attempt.key is None:
        errors.must_not_repeat(request)
    made = api.conversing().make_once.create(
        owner,
        attempt,
        items=items,
        title=body.title,
        tags=_each_once(body.tags),
        metadata=body.metadata,
        pinned=pinned,
    )
    return _answer(made.conversation, replayed=made.replayed)


@router.get("/conversations", operation_id="listConversations", openapi_extra=_WANTED_METADATA,
            responses=FAILURES | returns("ConversationList"))  # fmt: skip
def browse(
    request: Request,
    owner: Owner,
    after: Annotated[
        str | SkipJsonSchema[None],
        Query(description="The `last_id` of the page before.", pattern="^[0-9]{1,15}-conv_[0-9a-f]{48}$"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    tag: Annotated[
        str | SkipJsonSchema[None], Query(min_length=1, max_length=64, description="Only those with it.")
    ] = None,
    since: Annotated[
        str | SkipJsonSchema[None],
        Query(
            max_length=64, description="Only those active since then: a date, a time, or seconds since 1970."
        ),
    ] = None,
    until: Annotated[
        str | SkipJsonSchema[None], Query(max_length=64, description="Only those last active before then.")
    ] = None,
) -> JSONResponse:
    """Return your conversations, latest activity first; what has just happened may follow late."""
    wanted = Wanted(
        tag=tag,
        metadata=wanted_metadata(request.query_params),
        since=time_of(since, "since"),
        until=time_of(until, "until"),
    )
    found = api.conversing().conversations.list(owner, wanted=wanted, cursor=after, limit=limit)
    return JSONResponse(page_of(found))


@router.get("/conversations/{conversation_id}", operation_id="getConversation", openapi_extra=UNLESS_KNOWN,
            responses=_ANSWERS | NOT_MODIFIED)  # fmt: skip
def retrieve(request: Request, owner: Owner, conversation_id: ConversationId) -> Response:
    """Return what is said about a conversation."""
    found = api.conversing().conversations.get(owner, conversation_id)
    if is_known(found.about.version, request.headers):
        return Response(status_code=304, headers=etag_of(found.about.version))
    return _answer(found)


@router.post("/conversations/{conversation_id}", operation_id="updateConversation",
             openapi_extra=takes("UpdateConversation") | FOR_A_VERSION,
             responses=_ANSWERS | CHANGED_SINCE)  # fmt: skip
def update(request: Request, owner: Owner, conversation_id: ConversationId, raw: RawBody) -> JSONResponse:
    """Replace the metadata, as the API does it."""
    body = checked(UpdateConversation, parse_object(raw))
    return _changed(request, owner, conversation_id, {"metadata": body.metadata or {}})


@router.patch("/conversations/{conversation_id}", operation_id="changeConversation",
              openapi_extra=takes("ChangeConversation") | FOR_A_VERSION,
              responses=_ANSWERS | CHANGED_SINCE)  # fmt: skip
def change(request: Request, owner: Owner, conversation_id: ConversationId, raw: RawBody) -> JSONResponse:
    """Replace title, tags, metadata or pinned items: those that are given."""
    body = checked(ChangeConversation, parse_object(raw))
    given: dict[str, Any] = {
        "title": body.title,
        "tags": _each_once(body.tags),
        "metadata": body.metadata or {},
        "pinned": _each_once(body.pinned),
    }
    if body.pinned:
        api.conversing().items.refuse_to_pin(owner, conversation_id, body.pinned)
    changes = {name: value for name, value in given.items() if name in body.model_fields_set}
    return _changed(request, owner, conversation_id, changes)


@router.delete("/conversations/{conversation_id}", operation_id="deleteConversation",
               responses=FAILURES | returns("ConversationDeleted"))  # fmt: skip
def delete(owner: Owner, conversation_id: ConversationId) -> JSONResponse:
    """Delete a conversation with its items; what a long one leaves goes in the background."""
    api.conversing().conversations.delete(owner, conversation_id)
    return JSONResponse({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


@router.post("/conversations/{conversation_id}/fork", operation_id="forkConversation",
             openapi_extra=takes("ForkConversation", required=False) | IDEMPOTENT,
             responses=_MADE)  # fmt: skip
def fork(request: Request, owner: Owner, conversation_id: ConversationId, raw: RawBody) -> JSONResponse:
    """Branch off: a conversation that shares what stands before, and goes on by itself."""
    said = parse_object(raw or b"{}")
    body = checked(ForkConversation, said)
    attempt = attempt_of(request.headers, digest_of(said, "fork", conversation_id))
    if attempt.key is None:
        errors.must_not_repeat(request)
    try:
        made = api.conversing().make_once.fork(owner, conversation_id, attempt, after=body.after)
    except ItemNotFound:
        raise InvalidRequest(
            "No item has the id given as 'after'.", param="after", code="invalid_value"
        ) from None
    return _answer(made.conversation, replayed=made.replayed)


def _changed(request: Request, owner: str, conversation_id: str, changes: dict[str, Any]) -> JSONResponse:
    def apply(about: About) -> About:
        return replace(about, **changes)

    version = wanted_version(request.headers)
    conversations = api.conversing().conversations
    return _answer(conversations.update(owner, conversation_id, apply, version=version))


def _answer(conversation: Conversation, *, replayed: bool = False) -> JSONResponse:
    headers = etag_of(conversation.about.version) | replayed_or_new(replayed=replayed)
    return JSONResponse(shown(conversation), headers=headers)


def _each_once(names: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names or ()))
