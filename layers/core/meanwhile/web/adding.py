"""From the bodies of calls on conversations to items that can be added."""

import hashlib
import json
from collections.abc import Sequence

from pydantic import BaseModel

from meanwhile import wiring
from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json
from meanwhile.domain.threads import NewItem, items_of, renamed
from meanwhile.web.create import to_items

NO_MODEL = ""


def added(owner: str, said: Sequence[BaseModel], param: str = "items") -> list[NewItem]:
    """Return items as they join a conversation: under new ids, with what they cost to read.

    Raises:
        InvalidRequest: An id comes twice, or a compaction is none of this owner's.
    """
    return _counted(owner, [renamed(item) for item in _checked(owner, said, param)])


def first_items(
    owner: str, said: Sequence[BaseModel], pinned: Sequence[str]
) -> tuple[list[NewItem], list[str]]:
    """Return the first items of a conversation, and which are pinned: by their new ids.

    Raises:
        InvalidRequest: As above, or an id is pinned that is not among them.
    """
    given = _checked(owner, said, "items")
    made = [renamed(item) for item in given]
    names = {old["id"]: new["id"] for old, new in zip(given, made, strict=True)}
    for index, name in enumerate(pinned):
        if name not in names:
            param = f"pinned[{index}]"
            raise InvalidRequest(f"'{param}' is not among the items.", param=param, code="invalid_value")
    return _counted(owner, made), list(dict.fromkeys(names[name] for name in pinned))


def digest_of(body: Json, *asked: str | int | None) -> bytes:
    """Return by what a call is known when it comes again: its body, and what else says what is asked for."""
    said = json.dumps([*asked, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


def _checked(owner: str, said: Sequence[BaseModel], param: str) -> list[Json]:
    items = to_items(said, param)
    wiring.expand().check_items(owner, items, param)
    return items


def _counted(owner: str, contents: Sequence[Json]) -> list[NewItem]:
    """Count by the vocabulary of models that nobody knows: which will read them is not known yet."""
    return items_of(contents, lambda item: wiring.count(owner, NO_MODEL, item))
