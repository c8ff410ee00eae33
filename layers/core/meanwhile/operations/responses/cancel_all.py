"""Cancel all: end every response of an owner that runs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import LogCorrupt, NotCancellable, ResponseNotFound, named
from meanwhile.domain.request import Json
from meanwhile.operations.responses.cancel import Cancel
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)

_AT_ONCE = 50
"""Cancels of one call: each takes a few requests, and the gateway waits 29 seconds."""
_ROWS_A_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAll:
    """Finds what is open in the index by owner. One that was accepted this very moment may escape."""

    stores: Stores
    cancel: Cancel
    now: Callable[[], float]
    open_seconds: float

    def __call__(self, owner: str) -> Json:
        """Return how many are cancelled now and were not before, and whether to call again for more.

        What cannot be read cannot be cancelled: it is counted apart, and ends when its time is over.
        """
        cancelled = unreadable = gone = tried = 0
        since = int(self.now() - self.open_seconds)
        for row in self.stores.responses.of_owner(owner, behind=None, since=since, page=_ROWS_A_QUERY):
            if row.head.has_ended or self._has_ended(row.head.id):
                continue
            if tried == _AT_ONCE:
                # What is unreadable or gone is met again by every call, and a caller's loop must end.
                return _said(cancelled, unreadable, more=unreadable + gone < tried)
            tried += 1
            try:
                self.cancel(owner, row.head.id)
                cancelled += 1
            except NotCancellable:
                continue  # it ended by itself
            except ResponseNotFound:
                gone += 1  # or its owner is
            except LogCorrupt as error:
                about = {"response_id": row.head.id} | named(error)
                logger.error("a response that cannot be cancelled", extra=about)
                unreadable += 1
        return _said(cancelled, unreadable, more=False)

    def _has_ended(self, response_id: str) -> bool:
        """Ask the table: the index may not have heard yet."""
        head = self.stores.responses.head(response_id)
        return head is None or head.has_ended or head.deleted


def _said(cancelled: int, unreadable: int, *, more: bool) -> Json:
    return {
        "object": "response.cancelled_all",
        "cancelled": cancelled,
        "unreadable": unreadable,
        "has_more": more,
    }
