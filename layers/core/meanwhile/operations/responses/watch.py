"""Watch: say that somebody reads a response as it is written, so that it is written often.

Watching costs an execution of a function for as long as it lasts, so it is bounded: beyond a few streams of
one response, and beyond some of one owner, a new one displaces the oldest.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.response import Head
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.watches import Place, WatchStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """Lets streams begin to watch."""

    watches: WatchStore
    leases: LeaseStore
    now: Callable[[], float]
    seconds: float
    """How long a watch counts when it is not renewed."""
    per_response: int
    per_owner: int

    def begin(self, head: Head, *, is_known: bool) -> "Watch":
        """Watch from now on; `is_known` says that the lease was told when the response was accepted.

        Raises:
            Unavailable: The table does not answer.
        """
        until = self.now() + self.seconds
        if not is_known:
            self.leases.watch(head.id, until=until)
        place = self.watches.begin(
            head.owner,
            head.id,
            now=self.now(),
            until=until,
            per_response=self.per_response,
            per_owner=self.per_owner,
        )
        return Watch(self, head, place)


@dataclass(frozen=True, slots=True)
class Watch:
    """One stream that watches one response."""

    _watches: Watches
    _head: Head
    _place: Place

    def renew(self) -> bool:
        """Watch for longer; `False` if a newer stream has taken this one's place.

        Raises:
            Unavailable: The table does not answer.
        """
        until = self._watches.now() + self._watches.seconds
        if not self._watches.watches.renew(self._place, until=until):
            return False
        self._watches.leases.watch(self._head.id, until=until)
        return True

    def end(self) -> None:
        """Watch no more. What cannot be removed now expires by itself."""
        try:
            self._watches.watches.end(self._place)
        except Unavailable:
            logger.info("a watch was not removed", extra={"response_id": self._head.id})
