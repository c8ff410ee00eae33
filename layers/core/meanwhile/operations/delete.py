"""Delete: remove a response that has ended, for its owner."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.errors import LogCorrupt, ResponseNotFound, StillRunning
from meanwhile.domain.response import Head
from meanwhile.operations.read import Read
from meanwhile.storage.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Leaves tombstones without content, so that nothing that comes late brings a part back to life."""

    stores: Stores
    read: Read
    now: Callable[[], float]

    def __call__(self, owner: str, response_id: str) -> None:
        """Remove it; from the first write on, readers do not find it.

        Its head says whether it has ended, so that what can no longer be opened can still be deleted. Only
        where it says that it runs is the log asked, which may know more.

        Raises:
            ResponseNotFound: Not there, or not theirs.
            StillRunning: It has not ended.
        """
        head = self.stores.responses.head(response_id)
        if head is None or head.owner != owner or head.is_gone(self.now()):
            raise ResponseNotFound(response_id)
        if not head.has_ended:
            head = self._ended_by_its_log(head)
        self.stores.responses.bury(head, now=self.now())

    def _ended_by_its_log(self, head: Head) -> Head:
        try:
            self.read.record(head.owner, head.id, result=False)  # whether it was accepted at all
            end = self.read.answer(head).end
        except LogCorrupt as error:
            raise StillRunning from error  # until its time is over, for nobody can tell
        if end is None:
            raise StillRunning
        return replace(head, status=end.status)
