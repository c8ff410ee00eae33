"""The OpenAPI document: what the routes say about themselves, with the schemas of bodies and answers."""

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from meanwhile.domain.request import Json
from meanwhile.web.schemas.answers import (
    CancelledAll,
    Failure,
    InputTokens,
    ItemList,
    Model,
    ModelList,
    Response,
    ResponseDeleted,
    ResponseList,
)
from meanwhile.web.schemas.conversations import (
    AddItems,
    ChangeConversation,
    CreateConversation,
    EditItem,
    ForkConversation,
    UpdateConversation,
)
from meanwhile.web.schemas.create import CompactResponse, CountInputTokens, CreateResponse
from meanwhile.web.schemas.shown_compaction import CompactedResponse
from meanwhile.web.schemas.shown_conversations import (
    Conversation,
    ConversationDeleted,
    ConversationItem,
    ConversationItemList,
    ConversationList,
    ItemEdited,
)

_BODIES = (
    AddItems,
    ChangeConversation,
    CompactResponse,
    CountInputTokens,
    CreateConversation,
    CreateResponse,
    EditItem,
    ForkConversation,
    UpdateConversation,
)

_ANSWERS = (
    CancelledAll,
    CompactedResponse,
    Conversation,
    ConversationDeleted,
    ConversationItem,
    ConversationItemList,
    ConversationList,
    Failure,
    InputTokens,
    ItemEdited,
    ItemList,
    Model,
    ModelList,
    Response,
    ResponseDeleted,
    ResponseList,
)

DESCRIPTION = """Background responses for language models, for the SDKs of the Responses API.

A response that was accepted is answered, whether or not anybody waits: poll it until `status` is one of
`completed`, `incomplete`, `failed` and `cancelled`."""


def document(app: FastAPI) -> Json:
    """Return the document of an app."""
    found = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    _, schemas = models_json_schema(
        [(model, "validation") for model in (*_BODIES, *_ANSWERS)],
        ref_template="#/components/schemas/{model}",
    )
    components = found["components"]
    components["schemas"] = schemas["$defs"]
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)  # FastAPI's own; ours is 400
    found["servers"] = [{"url": "/v1"}]
    return found
