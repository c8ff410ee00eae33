"""Browse: an owner's responses, newest first, a page at a time."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from meanwhile.domain.errors import InvalidRequest, LogCorrupt, OwnerDeleted, named
from meanwhile.domain.request import Json
from meanwhile.domain.response import Head, Listed, Status
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)

Wanted = Literal["open", "queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

_OPEN = {"open", "queued", "in_progress"}
_LOOKED_AT = 2_000
"""Rows that one call looks at for those that were asked for."""
_ROWS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class _Row:
    head: Head
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Browse:
    """Reads the index by owner: one query a page, or a few where only some statuses are wanted.

    The index follows the table with a delay, mostly well under a second; reading one response by its id is
    how to know.
    """

    stores: Stores
    now: Callable[[], float]
    open_seconds: float
    """How long a response can be open at the longest: nothing older is looked at for those that are."""

    def __call__(self, owner: str, *, status: Wanted | None, after: str | None, limit: int) -> Json:
        """Return up to `limit` rows; fewer, even none, if too many others stand between: `has_more` tells.

        One that does not open is left out, and logged: it must not take the others with it.

        Raises:
            InvalidRequest: `after` is no response of theirs; one that was deleted since will do.
        """
        try:
            return self._page(owner, status, self._cursor(owner, after), limit)
        except OwnerDeleted:
            return _page([], more=False, last=None)

    def _page(self, owner: str, status: Wanted | None, behind: Head | None, limit: int) -> Json:
        found: list[_Row] = []
        looked, last = 0, None
        for row in islice(self._rows(owner, status, behind, limit), _LOOKED_AT):
            if self._fits(row.head, status):
                if len(found) == limit:
                    return self._shown(found, status, more=True, last=found[-1].head.id)
                found += self._opened(row)
            looked, last = looked + 1, row.head.id
        return self._shown(found, status, more=looked == _LOOKED_AT, last=last)

    def _rows(self, owner: str, status: Wanted | None, behind: Head | None, limit: int) -> Iterator[Listed]:
        since = int(self.now() - self.open_seconds) if status in _OPEN else 0
        page = _ROWS_A_QUERY if status else limit + 1
        return self.stores.responses.of_owner(owner, behind=behind, since=since, page=page)

    def _opened(self, row: Listed) -> list[_Row]:
        """Return the row with its model; none if it does not open, or is not a response to its owner."""
        try:
            model = self.stores.responses.model_of(row)
            return [] if model is None else [_Row(row.head, model)]
        except LogCorrupt as error:
            about = {"response_id": row.head.id} | named(error)
            logger.error("a response that cannot be listed", extra=about)
            return []

    def _cursor(self, owner: str, after: str | None) -> Head | None:
        if after is None:
            return None
        head = self.stores.responses.head(after)
        if head is None or not head.stands_with(owner):
            raise InvalidRequest(
                "No response has the id given as 'after'.", param="after", code="invalid_value"
            )
        return head

    def _fits(self, head: Head, status: Wanted | None) -> bool:
        if head.is_gone(self.now()):
            return False
        return not status or (not head.has_ended if status in _OPEN else head.status.value == status)

    def _shown(self, found: list[_Row], status: Wanted | None, *, more: bool, last: str | None) -> Json:
        """Tell those that wait from those that run: only their leases know."""
        waiting = [row.head.id for row in found if row.head.background and not row.head.has_ended]
        claimed = self.stores.leases.claimed(waiting)
        rows = [_row(row, is_claimed=row.head.id in claimed) for row in found]
        if status in {"queued", "in_progress"}:
            rows = [row for row in rows if row["status"] == status]
        return _page(rows, more=more, last=last)


def _row(row: _Row, *, is_claimed: bool) -> Json:
    head = row.head
    runs = not head.has_ended and (is_claimed or not head.background)
    return {
        "id": head.id,
        "object": "response",
        "created_at": int(head.created_at),
        "status": (Status.IN_PROGRESS if runs else head.status).value,
        "model": row.model,
        "background": head.background,
        "store": head.store,
    }


def _page(rows: list[Json], *, more: bool, last: str | None) -> Json:
    """Return a page; where there is more, `last_id` is where to go on, shown or not."""
    shown = rows[-1]["id"] if rows else None
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": last if more else shown,
        "has_more": more,
    }
