"""Conversations and their items in the API's shape, and what a list is asked for."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json
from meanwhile.operations.threads.conversations import Conversation, ConversationPage
from meanwhile.operations.threads.items import Item

_PAIR = re.compile(r"metadata\[(.{1,64})\]", re.DOTALL)
_MOST_PAIRS, _LONGEST_VALUE = 16, 512
_SECONDS = re.compile("[0-9]{9,11}")
"""Since 1973: eight digits are a date."""


def shown(conversation: Conversation) -> Json:
    """Return a conversation: the API's keys first, then those of our own."""
    return {
        **_said(conversation),
        "parent": {"id": conversation.parent.thread} if conversation.parent else None,
    }


def page_of(found: ConversationPage) -> Json:
    """Return a page of them; where there is more, `last_id` is where to go on, shown or not."""
    rows = [{**_said(row), "last_active_at": int(row.active_at)} for row in found.rows]
    last = rows[-1]["id"] if rows else None
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": found.cursor or last,
        "has_more": found.cursor is not None,
    }


def shown_item(item: Item) -> Json:
    """Return an item; one that was edited says which version it is, and of which."""
    if item.entry.version == 1:
        return item.content
    versions = {"version": item.entry.version, "parent_version": item.entry.parent_version}
    return {**item.content, **versions}


def list_of(items: Sequence[Item], *, has_more: bool = False) -> Json:
    """Return a page of items."""
    return {
        "object": "list",
        "data": [shown_item(item) for item in items],
        "first_id": items[0].entry.id if items else None,
        "last_id": items[-1].entry.id if items else None,
        "has_more": has_more,
    }


def wanted_metadata(query: QueryParams) -> dict[str, str]:
    """Return what `metadata[name]=value` asks for.

    Raises:
        InvalidRequest: It is asked in another way, twice for one name, or too much.
    """
    wanted: dict[str, str] = {}
    for name, value in query.multi_items():
        if not name.startswith("metadata"):
            continue
        found = _PAIR.fullmatch(name)
        if found is None or found[1] in wanted or len(value) > _LONGEST_VALUE or len(wanted) == _MOST_PAIRS:
            raise InvalidRequest(
                f"Invalid value for 'metadata': up to {_MOST_PAIRS} of metadata[name]=value, each name once.",
                param="metadata",
                code="invalid_value",
            )
        wanted[found[1]] = value
    return wanted


def time_of(said: str | None, param: str) -> float | None:
    """Return a time in seconds since 1970; dates without a zone are in UTC.

    Raises:
        InvalidRequest: It is neither such seconds nor a date or time of ISO 8601.
    """
    if said is None:
        return None
    if _SECONDS.fullmatch(said):
        return int(said)
    try:
        found = datetime.fromisoformat(said)
        return max(0.0, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"Invalid value for '{param}': a date, a time (ISO 8601), or seconds since 1970.",
            param=param,
            code="invalid_value",
        ) from None


def _said(conversation: Conversation) -> Json:
    about = conversation.about
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": dict(about.metadata),
        "title": about.title,
        "tags": list(about.tags),
        "pinned": list(about.pinned),
    }
