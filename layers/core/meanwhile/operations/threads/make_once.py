"""Make once: however often a conversation is made, branched off or edited under one key, it is one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meanwhile.domain.attempt import IDEMPOTENCY_KEY, Attempt, Making, key_reused, used_for_another
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, OwnerDeleted, SlotTaken
from meanwhile.domain.threads import NewItem
from meanwhile.operations.threads.conversations import Conversation, Conversations
from meanwhile.operations.threads.items import Item, Items
from meanwhile.storage.stores import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of a call: the conversation that answers it."""

    conversation: Conversation
    item: Item | None = None
    """Of an edit: the new version."""
    replayed: bool = False
    """Whether an earlier call has made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOnce:
    """Makes conversations, each unless a call before has made it.

    The key names the id, and everything is written there at once. So there is nothing to complete, and who
    comes later, or wakes later, finds what there is: as long as the conversation lives, and for a while
    after it was deleted.

    Every call raises `InvalidRequest` if the key was used for something else, or for what is gone, and
    `Unavailable` if it could not be written: under a key it is safe to try again. Without one, nobody can
    tell a call from its retry.
    """

    threads: Threads
    conversations: Conversations
    items: Items

    def create(self, owner: str, attempt: Attempt, **said: Any) -> Made:
        """Make a conversation: `said` is what `Conversations.create` takes.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """

        def make(making: Making | None) -> Made:
            return Made(conversation=self.conversations.create(owner, **said, making=making))

        return self._once(owner, attempt, make)

    def fork(self, owner: str, conversation_id: str, attempt: Attempt, *, after: str | None = None) -> Made:
        """Branch off a conversation, as `Items.fork` does.

        Raises:
            ConversationNotFound, ItemNotFound: As there.
        """

        def make(making: Making | None) -> Made:
            branch = self.items.fork(owner, conversation_id, after=after, making=making)
            return Made(conversation=branch)

        try:
            return self._once(owner, attempt, make)
        except OwnerDeleted as error:
            raise ConversationNotFound(conversation_id) from error

    def edit(
        self,
        owner: str,
        conversation_id: str,
        attempt: Attempt,
        item_id: str,
        item: NewItem,
        *,
        version: int | None = None,
    ) -> tuple[Made, Item]:
        """Put a new version of an item into a branch that ends with it, as `Items.edit` does.

        Raises:
            ConversationNotFound, ItemNotFound, VersionConflict: As there.
        """

        def make(making: Making | None) -> Made:
            branch, new = self.items.edit(
                owner, conversation_id, item_id, item, version=version, making=making
            )
            return Made(conversation=branch, item=new)

        try:
            made = self._once(owner, attempt, make)
            return made, made.item or self._edited(owner, made.conversation)
        except OwnerDeleted as error:
            raise ConversationNotFound(conversation_id) from error

    def _once(self, owner: str, attempt: Attempt, make: Callable[[Making | None], Made]) -> Made:
        if attempt.key is None:
            return make(None)
        making = self.threads.birth.under(owner, attempt.key, attempt.digest)
        there = self._there(owner, making)
        if there is None:
            try:
                return make(making)
            except SlotTaken as taken:
                there = self._there(owner, making)
                if there is None:  # what was deleted long ago is not removed in one moment
                    raise _gone() from taken
        return Made(conversation=there, replayed=True)

    def _there(self, owner: str, making: Making) -> Conversation | None:
        """Return what a key has made; `None` if it has made nothing.

        Raises:
            InvalidRequest: It was made of something else, or is gone.
        """
        head = self.threads.heads.head(making.id)
        if head is None:
            return None
        if head.deleted:
            raise _gone()
        if head.asked != making.asked:
            raise used_for_another()
        try:
            return self.conversations.get(owner, making.id)
        except ConversationNotFound as error:
            raise _gone() from error

    def _edited(self, owner: str, branch: Conversation) -> Item:
        """Return the item that an edit has put into its branch: the first of its own."""
        log, start = self.threads.log, branch.parent.start if branch.parent else 0
        batch = log.at(owner, branch.id, start)
        entries = [entry for entry in batch.entries[:1] if not entry.deleted] if batch else []
        if not entries:
            raise key_reused(
                f"The item that this {IDEMPOTENCY_KEY} has made is gone. Use a new key to edit again."
            )
        return Item(entries[0], log.open(owner, entries)[0])


def _gone() -> InvalidRequest:
    return key_reused(
        f"The conversation that this {IDEMPOTENCY_KEY} has made is gone. Use a new key to make another."
    )
