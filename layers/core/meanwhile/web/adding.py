"""From the bodies of calls on conversations to items that can be added."""

import hashlib
import json
from collections.abc import Sequence

from pydantic import BaseModel

from meanwhile import wiring
from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json
from meanwhile.domain.threads import NewItem, items_of
from meanwhile.providers.catalogue import UNKNOWN_ENCODING
from meanwhile.web.create import renamed, to_items


def added(said: Sequence[BaseModel], param: str = "items") -> list[NewItem]:
    """Return items as they join a conversation: under new ids, with what they cost to read.

    Raises:
        InvalidRequest: An id comes twice.
    """
    return _counted([renamed(item) for item in to_items(said, param)])


def first_items(said: Sequence[BaseModel], pinned: Sequence[str]) -> tuple[list[NewItem], list[str]]:
    """Return the first items of a conversation, and which are pinned: by their new ids.

    Raises:
        InvalidRequest: An id comes twice, or one is pinned that is not among them.
    """
    given = to_items(said, "items")
    made = [renamed(item) for item in given]
    names = {old["id"]: new["id"] for old, new in zip(given, made, strict=True)}
    for index, name in enumerate(pinned):
        if name not in names:
            param = f"pinned[{index}]"
            raise InvalidRequest(f"'{param}' is not among the items.", param=param, code="invalid_value")
    return _counted(made), list(dict.fromkeys(names[name] for name in pinned))


def digest_of(conversation_id: str, body: Json) -> bytes:
    """Return by what a call is known when it comes again under the same key."""
    said = json.dumps([conversation_id, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


def _counted(contents: Sequence[Json]) -> list[NewItem]:
    """Count by the vocabulary of models that nobody knows: which will read them is not known yet."""
    return items_of(contents, wiring.tokens(UNKNOWN_ENCODING).of_item) if contents else []
