"""The bodies of calls on conversations. Null means the default, and in a change: none."""

from typing import Annotated

from pydantic import Field

from meanwhile.web.schemas.base import ItemId, Setting, listed
from meanwhile.web.schemas.create import Metadata
from meanwhile.web.schemas.items import InputItem

MAX_FIRST_ITEMS = 20
"""As in the API."""
MAX_ITEMS_A_CALL = 1_000
"""The API takes 20; more are added in chunks."""

Title = Annotated[str, Field(max_length=256)]
Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], listed(most=20)]
Pinned = Annotated[list[ItemId], listed(most=20)]


class ChangeConversation(Setting):
    """What is said about a conversation; what is left out stays as it is."""

    metadata: Metadata | None = None
    title: Title | None = None
    tags: Tags | None = None
    pinned: Pinned | None = None
    """Ids of items that a model is always shown, however long the conversation grows."""


class CreateConversation(ChangeConversation):
    """A conversation, and its first items. Here `pinned` names items by the ids that `items` gives them."""

    items: Annotated[list[InputItem], listed(most=MAX_FIRST_ITEMS)] | None = None


class UpdateConversation(Setting):
    """The API's own change."""

    metadata: Metadata | None


class AddItems(Setting):
    """Items to be added. They get ids of their own."""

    items: Annotated[list[InputItem], listed(least=1, most=MAX_ITEMS_A_CALL)]


class EditItem(Setting):
    """What an item is to say; it keeps its id and its type."""

    item: InputItem


class ForkConversation(Setting):
    """Where to branch off: behind this item, or behind the last one."""

    after: ItemId | None = None
