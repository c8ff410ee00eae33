"""Watch: follow a running response, reading every batch of its log once."""

from meanwhile.domain.answer import Answer
from meanwhile.domain.log import Tip
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.domain.wire import of_answer
from meanwhile.operations.read import Read
from meanwhile.storage.stores import Stores

RUNNING = frozenset({"queued", "in_progress"})


class Watch:
    """What is known of a running response, and two ways to learn more."""

    def __init__(self, stores: Stores, read: Read, head: Head, request: Request) -> None:
        self._stores = stores
        self._read = read
        self._head = head
        self._request = request
        self._tip = Tip()
        self._answer = Answer(head.id, head.background)
        self._found: Json | None = None

    def read_on(self) -> bool:
        """Read the log from where the last reading ended: one call; return whether the response has ended.

        Raises:
            Unavailable: The log could not be read.
            LogCorrupt: It breaks a rule.
        """
        for batch in self._stores.log.read(self._head, after=self._tip.number - 1):
            self._tip = self._tip.after(batch)
            for fact in batch.facts:
                self._answer.apply(fact)
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
