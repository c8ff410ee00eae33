"""Delete: remove a response that has ended, for its owner."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.errors import LogCorrupt, ResponseNotFound, StillRunning
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.operations.responses.read import Read
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Leaves tombstones without content, so that nothing that comes late brings a part back to life."""

    stores: Stores
    read: Read
    now: Callable[[], float]
    forget: Callable[[Head, Request | None], None] | None = None
    """Removes what it has left in threads, by its request, or, of one that ran in none, by its head alone."""

    def __call__(self, owner: str, response_id: str) -> None:
        """Remove it; from the first write on, readers do not find it.

        Its head says whether it has ended, so that what can no longer be opened can still be deleted. Only
        where it says that it runs is the log asked, which may know more; then it joins its thread first.

        Raises:
            ResponseNotFound: Not there, or not theirs.
            StillRunning: It has not ended.
        """
        head = self.stores.responses.head(response_id)
        if head is None or head.owner != owner or head.is_gone(self.now()):
            raise ResponseNotFound(response_id)
        if not head.has_ended:
            head = self._ended_by_its_log(head)
        request = self._request(head)
        # Before, so that a crash in between leaves nothing; after, for who began to continue it meanwhile.
        self._forget(head, request)
        self.stores.responses.bury(head, now=self.now())
        self._forget(head, request)

    def _ended_by_its_log(self, head: Head) -> Head:
        try:
            self.read.record(head.owner, head.id, result=False)  # whether it was accepted at all
            answer = self.read.answer(head)
        except LogCorrupt as error:
            raise StillRunning from error  # until its time is over, for nobody can tell
        if answer.end is None:
            raise StillRunning
        if head.thread is not None:
            self.read.ending.finish(head, answer)  # what it has said joins while there is something to join
        return replace(head, status=answer.end.status)

    def _request(self, head: Head) -> Request | None:
        """Return the request of one that ran in a thread, for it says where."""
        if head.thread is None:
            return None
        try:
            return self.read.record(head.owner, head.id, result=False)[1]
        except LogCorrupt:
            logger.error("what it left in a thread stays", extra={"response_id": head.id})
            return None

    def _forget(self, head: Head, request: Request | None) -> None:
        if self.forget is not None and head.store and (head.thread is None or request is not None):
            self.forget(head, request)
