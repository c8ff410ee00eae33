"""Delete: remove a response that has ended, for its owner."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.errors import StillRunning
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

        Raises:
            ResponseNotFound: Not there, or not theirs.
            StillRunning: It has not ended.
        """
        record, _ = self.read.record(owner, response_id)
        head = record.head
        if not head.has_ended:
            answer = self.read.answer(head)
            if answer.end is None:
                raise StillRunning
            head = replace(head, status=answer.end.status)
        self.stores.responses.bury(head, now=self.now())
