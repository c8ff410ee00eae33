"""What the service answers about conversations. For the OpenAPI document only, as `answers.py`."""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from meanwhile.web.schemas.answers import (
    ShownCompaction,
    ShownFunctionCall,
    ShownFunctionCallOutput,
    ShownMessage,
    ShownReasoning,
)
from meanwhile.web.schemas.shown import Shown

_ID = "^conv_[0-9a-f]{48}$"


class ConversationShown(Shown):
    """What is said about a conversation."""

    id: Annotated[str, Field(pattern=_ID)]
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]
    title: str | None
    tags: list[str]
    pinned: list[str]


class ConversationParent(Shown):
    """What a conversation branched off."""

    id: str


class Conversation(ConversationShown):
    """A conversation."""

    parent: ConversationParent | None


class ConversationRow(ConversationShown):
    """A conversation in a list."""

    last_active_at: int


class ConversationList(Shown):
    """A page of conversations; where there is more, the next one continues after `last_id`."""

    object: Literal["list"]
    data: list[ConversationRow]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ConversationDeleted(Shown):
    """What is left of a deleted conversation."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class Versioned(Shown):
    """Of an item that was edited: which version it is, and which it replaces."""

    version: Annotated[int, Field(ge=2)] = 2
    parent_version: Annotated[int, Field(ge=1)] = 1


class ConversationMessage(ShownMessage, Versioned):
    """What was said."""


class ConversationFunctionCall(ShownFunctionCall, Versioned):
    """A function to call."""


class ConversationFunctionCallOutput(ShownFunctionCallOutput, Versioned):
    """What a function returned."""


class ConversationReasoning(ShownReasoning, Versioned):
    """What a model thought."""


class ConversationCompaction(ShownCompaction, Versioned):
    """What stands for everything before it."""


class ConversationItem(
    RootModel[
        ConversationMessage
        | ConversationFunctionCall
        | ConversationFunctionCallOutput
        | ConversationReasoning
        | ConversationCompaction
    ]
):
    """An item of a conversation."""


class ConversationItemList(Shown):
    """Items of a conversation; where there is more, the next page continues after `last_id`."""

    object: Literal["list"]
    data: list[ConversationItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ItemEdited(Shown):
    """The branch that ends with the new version, and the new version."""

    object: Literal["conversation.item.edited"]
    conversation: Conversation
    item: ConversationItem
