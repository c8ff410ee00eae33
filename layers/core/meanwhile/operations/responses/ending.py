"""How a response ends: the log decides, the head follows."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.errors import SlotTaken, Unavailable
from meanwhile.domain.ids import new_nonce
from meanwhile.domain.log import NOBODY, facts_of, tip_of
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.wire import result_of
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)

_TRIES = 50
_FENCE_OFF_AFTER = 3
_SWEEP_MARGIN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Ends responses from outside a claim, and writes down what the log has decided."""

    stores: Stores
    now: Callable[[], float]
    unstored_retention_seconds: float
    join: Callable[[Head, Answer], None] | None = None
    """Adds what an ended response has said to its thread; called only for those that run in one."""

    def decide(self, head: Head, end: Ended) -> Answer:
        """Append an end, unless one is there; return the answer with the end that won.

        A worker that writes faster than we do loses its lease after a few tries, so this comes to an end.

        Raises:
            Unavailable: The log kept moving; nothing was decided here.
        """
        nonce = new_nonce()
        for tried in range(_TRIES):
            batches = self.stores.log.read(head)
            answer = fold(head.id, facts_of(batches), background=head.background)
            if answer.end is None:
                if tried == _FENCE_OFF_AFTER:
                    self.stores.leases.fence_off(head.id)
                batch = tip_of(batches).next(end, epoch=NOBODY, nonce=nonce)
                try:
                    self.stores.log.append(head, batch)
                except SlotTaken:
                    continue
                answer.apply(end)
                self.stores.leases.fence_off(head.id)
            self.finish(head, answer)
            return answer
        raise Unavailable("the response was busy")

    def mend(self, head: Head) -> bool:
        """Let the head follow a log that has ended; `False` if it has not."""
        answer = fold(head.id, facts_of(self.stores.log.read(head)), background=head.background)
        if answer.end is not None:
            self.finish(head, answer)
        return answer.end is not None

    def finish(self, head: Head, answer: Answer) -> None:
        """Write result and head of an answer that has ended. Safe to repeat: the log says the same.

        Its thread comes first: a response whose head has ended has joined, and holds no conversation.
        """
        if answer.end is None:
            raise ValueError("the answer has not ended")
        if head.thread is not None and self.join is not None:
            self.join(head, answer)
        self.stores.responses.end(self.ended(head, answer.end), result_of(answer, answer.end))
        logger.info("response ended", extra={"response_id": head.id, "status": answer.end.status.value})

    def end_unreadable(self, head: Head) -> None:
        """End a response whose log cannot be read, nor ended: the head alone says that it failed."""
        logger.error("a log that cannot be read", extra={"response_id": head.id})
        end = failed("server_error", "What was stored of the response cannot be read.", at=self.now())
        self.finish(head, fold(head.id, [end], background=head.background))

    def not_before(self, head: Head, delay: float) -> None:
        """Keep the sweeper from an open response for `delay` seconds.

        The sweeper may have looked since `head` was read; then its new head is read once, and tried again.
        """
        due_at = int(self.now() + delay + _SWEEP_MARGIN)
        responses = self.stores.responses
        if not responses.postpone(head, due_at=due_at, resends=head.resends):
            newer = responses.head(head.id)
            if newer is not None and not newer.has_ended and not newer.deleted:
                responses.postpone(newer, due_at=due_at, resends=newer.resends)

    def ended(self, head: Head, end: Ended) -> Head:
        """Return the head as it stands after this end: what is not stored goes soon."""
        if head.store:
            return replace(head, status=end.status, due_at=None)
        gone_at = end.at + int(self.unstored_retention_seconds)
        return replace(head, status=end.status, due_at=gone_at, expires_at=gone_at)


def failed(code: str, message: str, *, at: float) -> Ended:
    """Return the end of a response that failed; the message is ours and holds no content."""
    return Ended(status=Status.FAILED, at=int(at), code=code, message=message)
