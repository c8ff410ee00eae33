"""Cancel: end a response that runs, for its owner."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import NotCancellable
from meanwhile.domain.response import Ended, Status
from meanwhile.domain.wire import Json, of_answer, of_record
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Competes with the worker for the last place in the log; whoever wins it decides the end."""

    read: Read
    ending: Ending
    now: Callable[[], float]

    def __call__(self, owner: str, response_id: str) -> Json:
        """Return the cancelled response; cancelling again returns the same.

        Raises:
            ResponseNotFound: Not there, or not theirs.
            NotCancellable: It has ended otherwise.
        """
        record, request = self.read.record(owner, response_id)
        if record.head.has_ended:
            if record.head.status is not Status.CANCELLED or record.result is None:
                raise NotCancellable(record.head.status.value)
            return of_record(record, record.result)
        cancelled = Ended(status=Status.CANCELLED, at=int(self.now()))
        answer = self.ending.decide(record.head, cancelled)
        if answer.status is not Status.CANCELLED:
            raise NotCancellable(answer.status.value)
        return of_answer(record.head, request, answer)
