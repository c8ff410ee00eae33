"""The items of conversations: add, list, read, edit and delete them."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse

from meanwhile import api
from meanwhile.domain.errors import InvalidRequest, ItemNotFound
from meanwhile.operations.threads.items import ItemPage
from meanwhile.web import errors
from meanwhile.web.adding import added, digest_of
from meanwhile.web.attempts import attempt_of, is_known_again, replayed_or_new
from meanwhile.web.auth import Owner
from meanwhile.web.body import parse_object
from meanwhile.web.conversing import list_of, shown, shown_item
from meanwhile.web.documents import (
    CHANGED_SINCE,
    FAILURES,
    FOR_A_VERSION,
    IDEMPOTENT,
    returns,
    takes,
    with_headers,
)
from meanwhile.web.etags import etag_of, wanted_version
from meanwhile.web.routes.conversations import ConversationId, RawBody
from meanwhile.web.routes.responses import Include
from meanwhile.web.schemas.conversations import AddItems, EditItem
from meanwhile.web.validation import checked

router = APIRouter(tags=["Conversations"])

_ID = re.compile("[!-~]{1,128}")
_MOST_IDS = 100


async def _item_id(item_id: str) -> str:
    """Let only what can be an id reach the table."""
    if not _ID.fullmatch(item_id):
        raise ItemNotFound(item_id[:64])
    return item_id


ItemId = Annotated[str, Depends(_item_id)]


@router.post("/conversations/{conversation_id}/items", operation_id="createConversationItems",
             openapi_extra=takes("AddItems") | IDEMPOTENT,
             responses=FAILURES | returns("ConversationItemList", replayed=True))  # fmt: skip
def add(
    request: Request,
    owner: Owner,
    conversation_id: ConversationId,
    raw: RawBody,
    include: Include = [],  # noqa: ARG001, B006  # FastAPI copies defaults
) -> JSONResponse:
    """Add items, up to 1,000 at once; many go in in chunks, each whole. Under a key each is added once."""
    body = parse_object(raw)
    attempt = attempt_of(request.headers, digest_of(body, conversation_id))
    items = added(owner, checked(AddItems, body).items)
    if not is_known_again(request.headers):
        errors.must_not_repeat(request)
    there = api.conversing().add_once(owner, conversation_id, items, attempt)
    brought = {item.id for item in items}  # new ones: who finds them among those has added something
    replayed = all(item.entry.id not in brought for item in there)
    return JSONResponse(list_of(there), headers=replayed_or_new(replayed=replayed))


@router.get("/conversations/{conversation_id}/items", operation_id="listConversationItems",
            responses=FAILURES | returns("ConversationItemList"))  # fmt: skip
def browse(
    owner: Owner,
    conversation_id: ConversationId,
    after: Annotated[
        str | SkipJsonSchema[None], Query(description="The id of the last item of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    ids: Annotated[
        str | SkipJsonSchema[None], Query(description="Only these, in this order: up to 100, with commas.")
    ] = None,
    each_id: Annotated[list[str], Query(alias="ids[]", description="The same, one by one.")] = [],  # noqa: B006
    include: Include = [],  # noqa: ARG001, B006  # as above
) -> JSONResponse:
    """Return the items, the newest first; or those of some ids, without any that are not there.

    There may be fewer than asked for, and more behind them, where they are too large for one answer.
    """
    asked = [*(ids.split(",") if ids is not None else ()), *each_id]
    if not asked:
        found = _page(owner, conversation_id, after, limit, newest_first=order == "desc")
        return JSONResponse(list_of(found.items, has_more=found.has_more))
    if after is not None or len(asked) > _MOST_IDS:
        raise InvalidRequest(
            f"Up to {_MOST_IDS} ids can be asked for, and 'after' not beside them.",
            param="ids",
            code="invalid_value",
        )
    wanted = [item_id for item_id in asked if _ID.fullmatch(item_id)]
    those = api.conversing().items.get_many(owner, conversation_id, wanted)
    return JSONResponse(list_of(those.items, has_more=those.has_more))


@router.get("/conversations/{conversation_id}/items/{item_id}", operation_id="getConversationItem",
            responses=FAILURES | returns("ConversationItem", versioned=True))  # fmt: skip
def retrieve(
    owner: Owner,
    conversation_id: ConversationId,
    item_id: ItemId,
    include: Include = [],  # noqa: ARG001, B006  # as above
) -> JSONResponse:
    """Return one item."""
    found = api.conversing().items.get(owner, conversation_id, item_id)
    return JSONResponse(shown_item(found), headers=etag_of(found.entry.version))


@router.post("/conversations/{conversation_id}/items/{item_id}", operation_id="editConversationItem",
             openapi_extra=takes("EditItem") | with_headers(FOR_A_VERSION, IDEMPOTENT),
             responses=FAILURES | CHANGED_SINCE | returns("ItemEdited", replayed=True))  # fmt: skip
def edit(
    request: Request, owner: Owner, conversation_id: ConversationId, item_id: ItemId, raw: RawBody
) -> JSONResponse:
    """Say something else: in a new conversation, which branches off and ends with it. This one stays."""
    body, version = parse_object(raw), wanted_version(request.headers)
    attempt = attempt_of(request.headers, digest_of(body, "edit", conversation_id, item_id, version))
    (item,) = added(owner, [checked(EditItem, body).item], "item")
    if attempt.key is None:
        errors.must_not_repeat(request)
    make = api.conversing().make_once
    made, edited = make.edit(owner, conversation_id, attempt, item_id, item, version=version)
    branch = shown(made.conversation)
    answer = {"object": "conversation.item.edited", "conversation": branch, "item": shown_item(edited)}
    return JSONResponse(answer, headers=replayed_or_new(replayed=made.replayed))


@router.delete("/conversations/{conversation_id}/items/{item_id}", operation_id="deleteConversationItem",
               responses=FAILURES | returns("Conversation", versioned=True))  # fmt: skip
def delete(owner: Owner, conversation_id: ConversationId, item_id: ItemId) -> JSONResponse:
    """Delete an item, also for the branches that share it; return its conversation."""
    found = api.conversing().items.delete(owner, conversation_id, item_id)
    return JSONResponse(shown(found), headers=etag_of(found.about.version))


def _page(owner: str, conversation_id: str, after: str | None, limit: int, *, newest_first: bool) -> ItemPage:
    items = api.conversing().items
    try:
        if after is not None and not _ID.fullmatch(after):
            raise ItemNotFound(after[:64])
        return items.page(owner, conversation_id, after=after, limit=limit, newest_first=newest_first)
    except ItemNotFound:
        raise InvalidRequest(
            "No item has the id given as 'after'.", param="after", code="invalid_value"
        ) from None
