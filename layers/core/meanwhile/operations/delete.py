"""Delete: remove a response that has ended, for its owner."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.errors import StillRunning
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.operations.read import Read
from meanwhile.storage.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Leaves tombstones without content, so that nothing that comes late brings a part back to life."""

    stores: Stores
    read: Read
    now: Callable[[], float]
    forget: Callable[[Head, Request], None] | None = None
    """Removes what it has left in threads."""

    def __call__(self, owner: str, response_id: str) -> None:
        """Remove it; from the first write on, readers do not find it.

        Raises:
            ResponseNotFound: Not there, or not theirs.
            StillRunning: It has not ended.
        """
        record, request = self.read.record(owner, response_id)
        head = record.head
        if not head.has_ended:
            answer = self.read.answer(head)
            if answer.end is None:
                raise StillRunning
            head = replace(head, status=answer.end.status)
        # Before, so that a crash in between leaves nothing; after, for who began to continue it meanwhile.
        self._forget(head, request)
        self.stores.responses.bury(head, now=self.now())
        self._forget(head, request)

    def _forget(self, head: Head, request: Request) -> None:
        if self.forget is not None and head.store:
            self.forget(head, request)
