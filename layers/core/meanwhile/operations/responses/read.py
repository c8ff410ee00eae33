"""Read: where a response stands, for its owner."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.errors import LogCorrupt, OwnerDeleted, ResponseNotFound
from meanwhile.domain.log import facts_of
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head, Record
from meanwhile.domain.wire import Json, of_answer, of_record
from meanwhile.operations.responses.ending import Ending
from meanwhile.storage.stores import Stores

_MEND_AFTER = 5
"""Seconds after the end when a head that has not followed means that somebody died between the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Finds responses. Whoever is not the owner is told what a stranger to the id is told."""

    stores: Stores
    ending: Ending
    now: Callable[[], float]

    def __call__(self, owner: str, response_id: str) -> Json:
        """Return the response object: one call if it has ended, two while it runs.

        Raises:
            ResponseNotFound: Not there, not theirs, deleted, or past its retention.
        """
        record, request = self.record(owner, response_id)
        if record.head.has_ended and record.result is not None:
            return of_record(record, record.result)
        return of_answer(record.head, request, self.answer(record.head))

    def record(self, owner: str, response_id: str, *, result: bool = True) -> tuple[Record, Request]:
        """Return what is stored besides the log, in one call, as of every write before it.

        Without `result` that stays where it is: it may be large, and a stream has it from the log.

        Raises:
            ResponseNotFound: As above.
        """
        try:
            record = self.stores.responses.record(response_id, owner=owner, result=result)
        except OwnerDeleted as error:
            raise ResponseNotFound(response_id) from error
        if record is None or record.request is None:
            raise ResponseNotFound(response_id)
        if record.head.owner != owner or record.head.is_gone(self.now()):
            raise ResponseNotFound(response_id)
        return record, record.request

    def answer(self, head: Head) -> Answer:
        """Return the answer as the log has it, and mend a head that did not follow its log's end.

        Raises:
            ResponseNotFound: It ended so long ago that it is past its retention.
            LogCorrupt: A part of it is missing.
        """
        batches = self.stores.log.read(head)
        answer = fold(head.id, facts_of(batches), background=head.background)
        if head.has_ended and answer.end is None:
            raise LogCorrupt("the head has ended, and the log has not")
        if answer.end and not head.has_ended and self.now() >= answer.end.at + _MEND_AFTER:
            self.ending.finish(head, answer)
        if answer.end and self.ending.ended(head, answer.end).is_gone(self.now()):
            raise ResponseNotFound(head.id)
        return answer
