"""Forget: what a deleted response has left in the threads that only continue it."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.domain.threads import Place, chain_of
from meanwhile.storage.stores import Threads
from meanwhile.storage.thread_burial import STRAYS_AFTER

_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """A response's items become gaps in its chain, and in whatever branches off that.

    What it has added to a conversation is the conversation's, and stays until it is deleted there.
    """

    threads: Threads
    now: Callable[[], float]

    def __call__(self, head: Head, request: Request | None) -> None:
        """Remove the contents; safe to repeat. One call for a response that nothing has continued.

        The request says where it ran; one that continued nothing needs none.

        Raises:
            Unavailable: The table does not answer, or others kept deleting beside it.
        """
        if request is None or request.place is None:
            if self.threads.heads.head(chain_of(head.id)) is not None:
                self._erase(head, chain_of(head.id), 0)
            return
        place = Place.from_json(request.place)
        if not place.in_conversation:
            self._erase(head, place.path.thread, place.position)
            if place.path.thread != chain_of(head.id):
                self._erase(head, chain_of(head.id), place.position)

    def _erase(self, head: Head, thread: str, first: int) -> None:
        """Erase batches of this response from a position on; another's end it."""
        tries = 0
        while tries < _TRIES:
            batch = self.threads.log.at(head.owner, thread, first)
            if batch is None or batch.closed or batch.nonce != head.id:
                return
            if batch.in_bucket:
                self.threads.heads.look_at(thread, at=self.now() + STRAYS_AFTER)
            positions = {entry.position for entry in batch.entries if not entry.deleted}
            self.threads.heads.changed(thread)
            if not positions:
                first = batch.end
            elif self.threads.log.erase(head.owner, thread, batch, positions):
                self.threads.heads.changed(thread)
                first = batch.end
            else:
                tries += 1
        raise Unavailable("others are changing the same items")
