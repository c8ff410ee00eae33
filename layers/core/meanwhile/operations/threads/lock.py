"""Lock: one response at a time runs in a conversation."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.answer import fold
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, LogCorrupt, OwnerDeleted
from meanwhile.domain.log import facts_of
from meanwhile.domain.threads import ThreadHead
from meanwhile.operations.responses.ending import Ending
from meanwhile.storage.stores import Stores, Threads

_ACCEPTED_WITHIN = 60
"""Seconds after which a holder that is not there never will be: accepting it has failed half way."""
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Taken when a response is accepted, given back when it ends; it outlives neither crash nor mistake.

    Whoever finds it held looks whether its holder has ended, by the holder's own log. The lock keeps what is
    said in order; that nothing is lost or added twice does not depend on it.
    """

    threads: Threads
    stores: Stores
    ending: Ending
    now: Callable[[], float]

    def take(self, owner: str, conversation_id: str, response_id: str) -> ThreadHead:
        """Take it for a response that is about to be accepted: one call if it is free.

        Raises:
            ConversationNotFound: Not there, not theirs, or deleted.
            InvalidRequest: `conversation_locked`: a response runs in it.
        """
        instead_of: str | None = None
        try:
            for _ in range(_TRIES):
                head = self.threads.heads.lock(
                    owner, conversation_id, response_id, now=self.now(), instead_of=instead_of
                )
                if head is not None:
                    return head
                there = self.threads.heads.head(conversation_id)
                lives = there is not None and not there.deleted and there.path.is_conversation
                if there is None or not lives or there.owner != owner:
                    raise ConversationNotFound(conversation_id)
                if there.lock is not None and self._runs(there):
                    raise locked(conversation_id)
                instead_of = there.lock
        except OwnerDeleted as error:
            raise ConversationNotFound(conversation_id) from error
        raise locked(conversation_id)

    def settle(self, head: ThreadHead) -> bool:
        """Return whether a response runs; no call if nothing holds the lock.

        A holder that has ended is seen to its end, so that what it said is there.
        """
        return head.lock is not None and self._runs(head)

    def give_back(self, conversation_id: str, response_id: str) -> None:
        """Let go of what was taken for a response that is not accepted after all.

        One that runs keeps it: another call under the same key may have stored it meanwhile.
        """
        holder = self.stores.responses.head(response_id)
        if holder is None or holder.has_ended:
            self.threads.heads.release(conversation_id, response_id)

    def _runs(self, conversation: ThreadHead) -> bool:
        """Whether the holder runs; one that has ended is seen to its end."""
        holder = self.stores.responses.head(conversation.lock or "")
        if holder is None:
            return self.now() < conversation.locked_at + _ACCEPTED_WITHIN
        if holder.has_ended or holder.is_gone(self.now()) or holder.thread != conversation.id:
            return False
        try:
            answer = fold(holder.id, facts_of(self.stores.log.read(holder)), background=holder.background)
        except LogCorrupt:
            return True  # the sweeper ends it
        if answer.end is None:
            return True
        self.ending.finish(holder, answer)
        return False


def locked(conversation_id: str) -> InvalidRequest:
    """Return the error for whoever would add to a conversation while a response runs in it."""
    return InvalidRequest(
        f"A response runs in conversation '{conversation_id}'. Wait for its end, or cancel it.",
        param="conversation",
        code="conversation_locked",
    )
