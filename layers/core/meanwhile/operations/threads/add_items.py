"""Add items to a conversation, in chunks if they are many, each whole or not at all."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from meanwhile.domain.errors import InvalidRequest, SlotTaken, Unavailable
from meanwhile.domain.ids import new_nonce
from meanwhile.domain.threads import Entry, NewItem, Reached, ThreadBatch, ThreadHead
from meanwhile.operations.threads.conversations import Conversations
from meanwhile.operations.threads.items import Item
from meanwhile.operations.threads.lock import Lock, locked
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.stores import Threads

CHUNK_ITEMS, CHUNK_CHARS = 100, 150_000
"""What one batch of a large insert holds at the most; a larger item has one to itself."""
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItems:
    """Puts items at the tip of a conversation, wherever that is when they come there."""

    threads: Threads
    conversations: Conversations
    recall: Recall
    lock: Lock
    now: Callable[[], float]

    def __call__(
        self,
        owner: str,
        conversation_id: str,
        items: Sequence[NewItem],
        *,
        once: str | None = None,
        since: float | None = None,
    ) -> list[Item]:
        """Add items, in chunks if they are many; return them with their places. Their ids must be new to it.

        `once` is a name that the caller gives this call: sent again, even after it broke off, what is there
        is not added again, and returned. Without it each chunk is added whole or not at all. `since` is for
        who may have sent this without a name: the newest items there are, if they were added since then,
        and are these or the first of these, are taken for them.

        Raises:
            ConversationNotFound: Not there, not theirs, or deleted.
            InvalidRequest: `conversation_locked`: a response runs in it, and not all of them are there;
                `idempotency_key_reused`: other items were added under this name.
            Unavailable: Others kept adding at the same moment.
        """
        head, _ = self.conversations.known(owner, conversation_id)
        is_busy = self.lock.settle(head)
        chunks = list(_chunks(items))
        tip, sent = head.reached, list[ThreadBatch]()
        if since is not None:
            tip, sent = self._sent_before(owner, head, chunks, since)
        added = [entry for batch in sent for entry in batch.entries]
        for number, chunk in list(enumerate(chunks))[len(sent) :]:
            name = json.dumps([conversation_id, once, number]) if once is not None else None
            batch, end = self._add(owner, head, tip, chunk, name, is_busy=is_busy)
            tip = max(tip, end, key=lambda reached: reached.position)
            added += batch.entries
        if added and tip.position > head.tip:  # else all of it was there, and told of: nothing has happened
            self.threads.heads.moved(head.id, tip=tip, now=self.now())
        return [
            Item(entry, {**item.content, "id": entry.id})
            for entry, item in zip(added, items, strict=True)
            if not entry.deleted
        ]

    def _add(
        self,
        owner: str,
        head: ThreadHead,
        tip: Reached,
        items: Sequence[NewItem],
        name: str | None,
        *,
        is_busy: bool,
    ) -> tuple[ThreadBatch, Reached]:
        """Add one chunk at the tip, wherever that is by now, or find it; return it, and the tip as known.

        Where a response runs it can only be found.
        """
        log = self.threads.log
        nonce = new_nonce() if name is None else log.nonce_of(owner, name)
        for _ in range(_TRIES):
            # First the tip, then the look for an earlier try: what is added in between is met at the tip.
            tip, mine = self.recall.tip(owner, head.id, tip, nonce)
            if mine is None and name is not None:
                mine = self._added_before(owner, head, nonce)
            if mine is not None:
                self._refuse_others(owner, mine, items)
                return mine, tip
            if is_busy:
                raise locked(head.id)
            try:
                at, once = tip.position, name is not None
                batch = log.append(owner, head.id, at, items, nonce, findable=True, once=once)
            except SlotTaken:
                continue
            if [entry.id for entry in batch.entries] != [item.id for item in items]:
                self._refuse_others(owner, batch, items)  # the same call, sent twice, was faster
            return batch, tip.with_entries(batch.entries)
        raise Unavailable("others are adding to the same conversation")

    def _sent_before(
        self, owner: str, head: ThreadHead, chunks: Sequence[Sequence[NewItem]], since: float
    ) -> tuple[Reached, list[ThreadBatch]]:
        """Return the tip, and the newest batches: as many as are what these chunks begin with.

        The head knows when the last of them was added; of what lies beyond its tip, whoever added it has
        died, or is about to tell.
        """
        tip, _ = self.recall.tip(owner, head.id, head.reached, "")
        newest = self.threads.log.newest(owner, head.id, below=tip.position, batches=len(chunks))[::-1]
        for many in range(len(newest), 0, -1):
            sent = newest[-many:]
            is_recent = head.active_at >= since or sent[0].first >= head.tip
            if is_recent and self._are_alike(owner, sent, chunks):
                return tip, sent
        return tip, []

    def _are_alike(
        self, owner: str, batches: Sequence[ThreadBatch], chunks: Sequence[Sequence[NewItem]]
    ) -> bool:
        """Whether batches hold just these items; nothing is opened that is other at first sight."""
        entries = [entry for batch in batches for entry in batch.entries]
        items = [item for chunk in chunks[: len(batches)] for item in chunk]
        seen = [(each.kind, each.tokens, each.version, each.deleted) for each in entries]
        if seen != [(each.kind, each.tokens, each.version, False) for each in items]:
            return False
        return self._say(owner, entries, items)

    def _say(self, owner: str, entries: Sequence[Entry], items: Sequence[NewItem]) -> bool:
        """Whether these entries have the content of these items, under whichever ids."""
        there = self.recall.open(owner, entries)
        return all(
            {**content, "id": item.id} == item.content for content, item in zip(there, items, strict=True)
        )

    def _refuse_others(self, owner: str, batch: ThreadBatch, items: Sequence[NewItem]) -> None:
        """Let only those pass who add what is there, under whichever ids; what was deleted is anything."""
        pairs = list(zip(batch.entries, items, strict=False))
        left = [(entry, item) for entry, item in pairs if not entry.deleted]
        same = self._say(owner, [entry for entry, _ in left], [item for _, item in left])
        if len(batch.entries) != len(items) or not same:
            raise InvalidRequest("This key was used for other items.", code="idempotency_key_reused")

    def _added_before(self, owner: str, head: ThreadHead, nonce: str) -> ThreadBatch | None:
        for first in self.threads.log.find(head.id, nonce):
            batch = self.threads.log.at(owner, head.id, first)
            if batch is not None and batch.nonce == nonce:
                return batch
        return None


def _chunks(items: Sequence[NewItem]) -> Iterator[list[NewItem]]:
    """Split items into what a batch takes; the same items always in the same way."""
    chunk: list[NewItem] = []
    chars = 0
    for item in items:
        size = len(json.dumps(item.content, ensure_ascii=False))
        if chunk and (len(chunk) == CHUNK_ITEMS or chars + size > CHUNK_CHARS):
            yield chunk
            chunk, chars = [], 0
        chunk.append(item)
        chars += size
    if chunk:
        yield chunk
