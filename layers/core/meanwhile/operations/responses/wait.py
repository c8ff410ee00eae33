"""Wait: follow a running response for a caller that wants it whole."""

from meanwhile.domain.answer import Answer
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.domain.wire import of_answer
from meanwhile.operations.responses.read import Read
from meanwhile.operations.responses.tail import AT_ONCE, Tail
from meanwhile.storage.stores import Stores

RUNNING = frozenset({"queued", "in_progress"})


class Wait:
    """What is known of a running response, and two ways to learn more."""

    def __init__(self, stores: Stores, read: Read, head: Head, request: Request) -> None:
        self._read = read
        self._head = head
        self._request = request
        self._tail = Tail(stores.log, head)
        self._answer = Answer(head.id, head.background)
        self._found: Json | None = None

    def read_on(self) -> bool:
        """Read the log from where the last reading ended: one call; return whether the response has ended.

        Raises:
            Unavailable: The log could not be read.
            LogCorrupt: It breaks a rule.
        """
        while batches := self._tail.read():
            for batch in batches:
                for fact in batch.facts:
                    self._answer.apply(fact)
            if len(batches) < AT_ONCE:
                break
        return self._answer.end is not None

    def look_up(self) -> bool:
        """Read the response as a whole: what was deleted or ended without us shows only there.

        Raises:
            ResponseNotFound: It was deleted.
            Unavailable, LogCorrupt: As above.
        """
        found = self._read(self._head.owner, self._head.id)
        if found["status"] not in RUNNING:
            self._found = found
        return self._found is not None

    def as_known(self) -> Json:
        """Return the response object as of the last successful reading."""
        if self._found is not None and self._answer.end is None:
            return self._found
        return of_answer(self._head, self._request, self._answer)
