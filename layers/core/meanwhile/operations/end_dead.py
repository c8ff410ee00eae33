"""Dead letters: what was delivered too often ends as `failed`, so that no reader waits for ever."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import LogCorrupt, ServiceError
from meanwhile.operations.ending import Ending, failed
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDead:
    """Ends a response whose message died, unless somebody is working on it."""

    stores: Stores
    ending: Ending
    now: Callable[[], float]

    def __call__(self, response_id: str) -> bool:
        """End it as `failed`, or mend it if its log has ended; `False` if the message has to come again.

        It comes again while a lease lives, and while something we depend on does not answer. A log that
        cannot be read cannot be ended in the log: then the head alone says that the response failed.
        """
        try:
            return self._end(response_id)
        except ServiceError as error:
            logger.warning("not ended", extra={"response_id": response_id, "error": type(error).__name__})
            return False

    def _end(self, response_id: str) -> bool:
        record = self.stores.responses.record(response_id)
        if record is None or record.head.deleted or record.head.has_ended:
            return True
        lease = self.stores.leases.read(response_id)
        if lease is not None and lease.is_live(self.now()):
            return False
        try:
            end = failed("undeliverable", "The response could not be worked on.", at=self.now())
            self.ending.decide(record.head, end)
        except LogCorrupt:
            self.ending.end_unreadable(record.head)
        return True
