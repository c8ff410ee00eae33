"""Dead letters: what was delivered too often is looked at once more, so that no reader waits for ever."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import LogCorrupt, ServiceError
from meanwhile.domain.response import Lease
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.overdue import Deadlines
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDead:
    """Ends a response whose message died, if its time or its attempts are used up and nobody works on it.

    A letter alone proves nothing about its response: an outage makes letters of what was never tried. Then
    it is due at once, and the sweeper sends it again with its growing pauses.
    """

    stores: Stores
    ending: Ending
    now: Callable[[], float]
    deadlines: Deadlines

    def __call__(self, response_id: str) -> bool:
        """See to it; `False` if the letter has to come again: a lease lives, or something does not answer."""
        try:
            return self._see_to(response_id)
        except ServiceError as error:
            logger.warning("not ended", extra={"response_id": response_id, "error": type(error).__name__})
            return False

    def _see_to(self, response_id: str) -> bool:
        head, now = self.stores.responses.head(response_id), self.now()
        if head is None or head.deleted or head.has_ended:
            return True
        lease = self.stores.leases.read(response_id) or Lease()
        if lease.is_live(now):
            return False
        overdue = self.deadlines.end_of(head, lease, now=now)
        try:
            if overdue is not None:
                self.ending.decide(head, overdue)
            elif not self.ending.mend(head):
                self.stores.responses.postpone(head, due_at=int(now), resends=head.resends)
        except LogCorrupt:
            if overdue is not None:
                self.ending.end_unreadable(head)
        return True
