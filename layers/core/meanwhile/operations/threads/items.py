"""Items of conversations: read, replace, pin and delete them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from meanwhile.domain.attempt import Making
from meanwhile.domain.errors import (
    ConversationNotFound,
    InvalidRequest,
    ItemNotFound,
    Unavailable,
    VersionConflict,
)
from meanwhile.domain.request import Json
from meanwhile.domain.threads import About, Entry, NewItem, ThreadHead
from meanwhile.operations.threads.conversations import Conversation, Conversations
from meanwhile.operations.threads.lock import Lock
from meanwhile.operations.threads.recall import Found, Recall
from meanwhile.storage.stores import Threads
from meanwhile.storage.thread_burial import STRAYS_AFTER

_TRIES = 20
_AT_ONCE = 100
_OPENED_AT_ONCE = 10
"""Items may be large: no more of them than this are in memory beyond what is returned."""
_PAGE_BYTES = 5_500_000
"""What Lambda hands on of an answer, which is 6 MB with its JSON escaped once more."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item with its content, in the API's shape."""

    entry: Entry
    content: Json


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of items, and whether there is more behind it."""

    items: list[Item]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Every call checks the owner, and raises `ConversationNotFound` to anybody else."""

    threads: Threads
    conversations: Conversations
    recall: Recall
    lock: Lock
    now: Callable[[], float]

    def page(
        self,
        owner: str,
        conversation_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        newest_first: bool = True,
    ) -> ItemPage:
        """Return up to `limit` items behind the one named by `after`: one query a stretch of the path.

        Fewer where they are large: a page holds what one answer can carry, and at least one item.

        Raises:
            ConversationNotFound: As above.
            ItemNotFound: `after` is no item of it.
        """
        head, _ = self._settled(owner, conversation_id)
        start = self._found(owner, head, after, deleted_too=True) if after is not None else None
        if newest_first:
            below = start.entry.position if start else None
            entries = self.recall.down(owner, head.path, below=below, tip=head.tip, page=limit + 1)
        else:
            entries = self.recall.up(owner, head.path, after=start, tip=head.tip, page=limit + 1)
        found = list(islice(entries, limit + 1))
        items = self._carried(owner, found[:limit])
        return ItemPage(items, has_more=len(found) > len(items))

    def get(self, owner: str, conversation_id: str, item_id: str) -> Item:
        """Return one item.

        Raises:
            ConversationNotFound, ItemNotFound: Not there, not theirs, or deleted.
        """
        head, _ = self._settled(owner, conversation_id)
        return self._opened(owner, [self._found(owner, head, item_id).entry])[0]

    def get_many(self, owner: str, conversation_id: str, item_ids: Sequence[str]) -> ItemPage:
        """Return items by id, up to 100, in the order asked for; those that are not there are left out.

        There is more if they are large: those behind the last one returned must be asked for again.

        Raises:
            ConversationNotFound: As above.
        """
        head, _ = self._settled(owner, conversation_id)
        asked = list(dict.fromkeys(item_ids))[:_AT_ONCE]
        found = self.recall.find_all(owner, head.path, asked)
        there = [each.entry for each in found if not each.entry.deleted]
        items = self._carried(owner, there)
        return ItemPage(items, has_more=len(there) > len(items))

    def edit(
        self,
        owner: str,
        conversation_id: str,
        item_id: str,
        item: NewItem,
        *,
        version: int | None = None,
        making: Making | None = None,
    ) -> tuple[Conversation, Item]:
        """Put a new version of an item into a branch that ends with it; the old one stays where it is.

        `item` takes the id of the one it replaces. With `version`, only if that is the version there.
        `making` is the branch that a key names.

        Raises:
            ConversationNotFound, ItemNotFound: As above.
            VersionConflict: It stands at another version.
            InvalidRequest: It is of another type than the one it replaces.
            SlotTaken: Only with `making`: it has been made.
        """
        head, about = self._settled(owner, conversation_id)
        old = self._found(owner, head, item_id).entry
        if version is not None and version != old.version:
            raise VersionConflict(version, old.version)
        if item.kind != old.kind:
            raise InvalidRequest(
                f"An item keeps its type: this is a {old.kind}.", param="item.type", code="invalid_value"
            )
        new = replace(
            item,
            content={**item.content, "id": old.id},
            version=old.version + 1,
            parent_version=old.version,
        )
        pinned = self._pinned(owner, head, about, old.position + 1)
        branch = self.conversations.fork(
            owner, conversation_id, at=old.position, items=[new], pinned=pinned, making=making
        )
        entry = Entry(
            id=new.id,
            kind=new.kind,
            tokens=new.tokens,
            position=old.position,
            version=new.version,
            parent_version=new.parent_version,
        )
        return branch, Item(entry, new.content)

    def fork(
        self, owner: str, conversation_id: str, *, after: str | None = None, making: Making | None = None
    ) -> Conversation:
        """Branch off a conversation behind an item, or behind its last one.

        `making` is the branch that a key names.

        Raises:
            ConversationNotFound: As above.
            ItemNotFound: `after` is no item of it.
            SlotTaken: Only with `making`: it has been made.
        """
        head, about = self._settled(owner, conversation_id)
        if after is None:
            at = self.recall.tip(owner, head.id, head.reached, "")[0].position
        else:
            at = self._found(owner, head, after, deleted_too=True).entry.position + 1
        pinned = self._pinned(owner, head, about, at)
        return self.conversations.fork(owner, conversation_id, at=at, pinned=pinned, making=making)

    def refuse_to_pin(self, owner: str, conversation_id: str, item_ids: Sequence[str]) -> None:
        """Let only items be pinned that are in the conversation.

        Raises:
            ConversationNotFound: As above.
            InvalidRequest: One is not in it, or not any more.
        """
        head, _ = self._settled(owner, conversation_id)
        found = self.recall.find_all(owner, head.path, item_ids)
        there = {each.entry.id for each in found if not each.entry.deleted}
        for index, item_id in enumerate(item_ids):
            if item_id not in there:
                param = f"pinned[{index}]"
                raise InvalidRequest(
                    f"'{param}' is no item of this conversation.", param=param, code="invalid_value"
                )

    def delete(self, owner: str, conversation_id: str, item_id: str) -> Conversation:
        """Delete an item's content, for every branch that shares it; its position stays, as a gap.

        Raises:
            ConversationNotFound, ItemNotFound: As above.
            Unavailable: Others kept deleting beside it at the same moment.
        """
        head, about = self._settled(owner, conversation_id)
        shown = Conversation.of(head, about)
        found = self._found(owner, head, item_id)
        for _ in range(_TRIES):
            if found.batch.in_bucket:
                self.threads.heads.look_at(found.thread, at=self.now() + STRAYS_AFTER)
            self.threads.heads.changed(found.thread)
            if self.threads.log.erase(owner, found.thread, found.batch, {found.entry.position}):
                self.threads.heads.changed(found.thread)
                return shown
            there = self.threads.log.at(owner, found.thread, found.batch.first)
            if there is None or there.closed:
                raise ConversationNotFound(conversation_id)
            entry = there.entries[found.entry.position - there.first]
            if entry.deleted:
                self.threads.heads.changed(found.thread)
                return shown
            found = Found(found.thread, there, entry)
        raise Unavailable("others are changing the same items")

    def _settled(self, owner: str, conversation_id: str) -> tuple[ThreadHead, About]:
        """Return head and description; a response that has ended in it has joined it.

        Readers of a response know of its end a moment before that.
        """
        found = self.conversations.known(owner, conversation_id)
        self.lock.settle(found[0])
        return found

    def _found(self, owner: str, head: ThreadHead, item_id: str, *, deleted_too: bool = False) -> Found:
        found = self.recall.find(owner, head.path, item_id)
        if found is None or (found.entry.deleted and not deleted_too):
            raise ItemNotFound(item_id)
        return found

    def _pinned(self, owner: str, head: ThreadHead, about: About, end: int) -> list[str]:
        """Return which pinned items stand before a position."""
        found = self.recall.find_all(owner, head.path, about.pinned) if about.pinned else []
        there = {each.entry.id for each in found if each.entry.position < end}
        return [item_id for item_id in about.pinned if item_id in there]

    def _carried(self, owner: str, entries: Sequence[Entry]) -> list[Item]:
        """Open the first of these items: as many as one answer can carry, but one at the least."""
        carried: list[Item] = []
        room = _PAGE_BYTES
        for start in range(0, len(entries), _OPENED_AT_ONCE):
            for item in self._opened(owner, entries[start : start + _OPENED_AT_ONCE]):
                room -= _size_of(item.content)
                if room < 0 and carried:
                    return carried
                carried.append(item)
        return carried

    def _opened(self, owner: str, entries: Sequence[Entry]) -> list[Item]:
        contents = self.recall.open(owner, entries)
        return [Item(entry, content) for entry, content in zip(entries, contents, strict=True)]


def _size_of(content: Json) -> int:
    """Return the bytes that an item takes in an answer, which is itself handed on as a string."""
    return len(json.dumps(json.dumps(content, ensure_ascii=False), ensure_ascii=False).encode())
