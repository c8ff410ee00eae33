"""Join: when a response has ended, what was asked and answered becomes part of its thread."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.answer import Answer
from meanwhile.domain.errors import ConversationNotFound, LogCorrupt, SlotTaken, Unavailable
from meanwhile.domain.paths import Path
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head, Status
from meanwhile.domain.threads import NewItem, Place, Reached, ThreadHead, chain_of, items_of
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Threads

logger = logging.getLogger(__name__)

_TRIES = 20
_OURS = re.compile("[a-z]{2,4}_[0-9a-f]{48}")
JOINING = {Status.COMPLETED, Status.INCOMPLETE}
"""How a response ends that leaves something behind; the others add nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Adds a response's input and output to its thread, once, however often it is called.

    In a conversation they go to its tip, wherever that is by then: the response's id is the batch's nonce. A
    chain has no lock: of several responses that continue the same one, the first to end takes the place
    behind it, and each of the others begins a thread of its own there.
    """

    threads: Threads
    responses: ResponseStore
    recall: Recall
    count: Callable[[str, str, Json], int]
    """How many tokens an item costs to read, by its owner and the model's name."""
    now: Callable[[], float]

    def __call__(self, head: Head, answer: Answer) -> None:
        """Add what there is to add, and let the conversation go.

        A thread that was deleted gets nothing; nor does one that cannot be read, for the response must end.

        Raises:
            Unavailable: The table does not answer: the response has not ended yet.
        """
        added: Reached | None = None
        try:
            record = self.responses.record(head.id, result=False)
            request = record.request if record else None
            if request is not None and request.place is not None:
                place = Place.from_json(request.place)
                items = self._items(head, request, answer)
                added = self._add(head, place, items) if items else None
        except ConversationNotFound:
            return
        except LogCorrupt:
            logger.error(
                "a thread that cannot be read", extra={"response_id": head.id, "thread_id": head.thread}
            )
        self._let_go(head, added)

    def _items(self, head: Head, request: Request, answer: Answer) -> list[NewItem]:
        if not head.store or answer.status not in JOINING:
            return []
        return self.items_of(head.owner, request, answer.output())

    def items_of(self, owner: str, request: Request, output: list[Json]) -> list[NewItem]:
        """Return what a response adds to its thread."""
        contents = [_named(item, index) for index, item in enumerate([*request.input, *output])]
        return items_of(contents, lambda item: self.count(owner, request.model, item))

    def _add(self, head: Head, place: Place, items: list[NewItem]) -> Reached | None:
        """Add items; return how far a conversation goes with them."""
        if place.in_conversation:
            return self._to_conversation(head, place, items)
        thread, path = place.path.thread, place.path
        try:
            self.threads.log.append(head.owner, thread, place.position, items, head.id, findable=False)
        except SlotTaken:
            path = place.path.branch(chain_of(head.id), place.position)
            try:
                self.threads.log.append(
                    head.owner, path.thread, place.position, items, head.id, findable=False
                )
            except SlotTaken:
                return None  # what it had begun was deleted since
        if path.start == place.position:
            self.begin(head.owner, path, place.kept_until)
        return None

    def begin(self, owner: str, path: Path, kept_until: float | None) -> None:
        """Write the head of a chain whose items are there."""
        now = self.now()
        self.threads.heads.begin(
            ThreadHead(
                id=path.thread,
                owner=owner,
                path=path,
                created_at=now,
                active_at=now,
                kept_until=kept_until,
            )
        )

    def _to_conversation(self, head: Head, place: Place, items: list[NewItem]) -> Reached:
        thread, tip = place.path.thread, place.reached
        for _ in range(_TRIES):
            tip, mine = self.recall.tip(head.owner, thread, tip, head.id)
            if mine is not None:
                return tip
            try:
                added = self.threads.log.append(
                    head.owner, thread, tip.position, items, head.id, findable=True
                )
                return tip.with_entries(added.entries)
            except SlotTaken:
                continue
        raise Unavailable("others are adding to the same conversation")

    def _let_go(self, head: Head, added: Reached | None) -> None:
        thread = head.thread or ""
        if not Path.root(thread).is_conversation:
            return
        if added is not None:
            self.threads.heads.moved(thread, tip=added, now=self.now(), release=head.id)
        else:
            self.threads.heads.release(thread, head.id)


def _named(item: Json, index: int) -> Json:
    """Return an item under an id that says nothing: ids stand in the clear, and callers choose their own."""
    return item if _OURS.fullmatch(item["id"]) else {**item, "id": f"item_{index}"}
