"""Lists, a page at a time."""

from collections.abc import Sequence

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json


def page(items: Sequence[Json], *, after: str | None, limit: int, newest_first: bool) -> Json:
    """Return up to `limit` items behind the one with the id `after`.

    Raises:
        InvalidRequest: None has that id.
    """
    found = list(reversed(items)) if newest_first else list(items)
    if after is not None:
        places = [place for place, item in enumerate(found) if item["id"] == after]
        if not places:
            raise InvalidRequest("No item has the id given as 'after'.", param="after", code="invalid_value")
        found = found[places[0] + 1 :]
    data = found[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(found) > limit,
    }
