"""Add once: however often items are sent under one key, they are in their conversation once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meanwhile.domain.attempt import Attempt, used_for_another
from meanwhile.domain.threads import NewItem
from meanwhile.operations.threads.add_items import AddItems
from meanwhile.operations.threads.items import Item
from meanwhile.storage.marks import MarkStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnce:
    """Adds items to a conversation, unless a call before has added them.

    The key is taken first, for what was sent under it; then each chunk is named by the two, so that a call
    that broke off is completed by the next.

    Without a key nothing is remembered. Only an SDK's retry looks whether what it brings is what was added
    last, and adds what is missing of it.
    """

    marks: MarkStore
    add: AddItems
    now: Callable[[], float]
    key_seconds: float
    """How long a key is remembered as used for something else."""
    retry_seconds: float
    """How long an SDK's retry is led to what it repeats."""

    def __call__(
        self, owner: str, conversation_id: str, items: Sequence[NewItem], attempt: Attempt
    ) -> list[Item]:
        """Add them; return them as they are in it, without those that were deleted since.

        Raises:
            ConversationNotFound: Not there, not theirs, or deleted.
            InvalidRequest: `conversation_locked`; or the key was used for another request.
            Unavailable: Try again; under a key nothing is added twice.
        """
        if attempt.key is None:
            since = self.now() - self.retry_seconds if attempt.repeats else None
            return self.add(owner, conversation_id, items, since=since)
        self.add.conversations.known(owner, conversation_id)
        now = self.now()
        keyed = self.marks.take(
            owner,
            attempt.key,
            attempt.digest,
            response_id=conversation_id,
            now=now,
            until=now + self.key_seconds,
        )
        if not keyed.same_request:
            raise used_for_another()
        once = f"{attempt.digest.hex()}/{attempt.key}"
        return self.add(owner, conversation_id, items, once=once)
