"""Resolve: where in a thread a request runs that continues a response, or a conversation."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from meanwhile.domain.errors import (
    ConversationNotFound,
    InvalidRequest,
    OwnerDeleted,
    RequestError,
    ResponseNotFound,
    ServiceError,
    SlotTaken,
    Unavailable,
)
from meanwhile.domain.paths import Path
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head, Status
from meanwhile.domain.threads import CHAIN, MAX_ITEMS, Place, Reached, chain_of, renamed
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.join import JOINING, Join
from meanwhile.operations.threads.lock import Lock
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.stores import Threads

MAX_INPUT = MAX_ITEMS - 100
"""Input items of a request in a thread: with the output they go into one batch."""
_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Called between making a response's head and storing it; costs nothing where nothing is continued."""

    threads: Threads
    read: Read
    recall: Recall
    join: Join
    lock: Lock
    forget: Forget
    now: Callable[[], float]
    kept_seconds: float
    """How long a chain is kept after its newest response was accepted, that response's own time included."""
    fit: Callable[[Head, Request], None] | None = None
    """Refuses what the model's window cannot hold (`operations/context/fit.py`)."""

    def __call__(self, head: Head, request: Request) -> tuple[Head, Request]:
        """Return head and request with their place in a thread; a conversation is locked from here on.

        Input that joins a conversation gets ids of its own: callers send items again that are in it.

        Raises:
            InvalidRequest: `conversation_locked`; `previous_response_not_found`; both were given; or
                `context_length_exceeded`, and then no conversation stays locked.
            ConversationNotFound: Not there, not theirs, or deleted.
        """
        head, request = self._placed(head, request)
        if self.fit is not None:
            try:
                self.fit(head, request)
            except ServiceError:
                with suppress(Unavailable):
                    self.undo(head)
                raise
        return head, request

    def look(self, owner: str, request: Request) -> tuple[Place | None, list[Json]]:
        """Return where a request would run, and what stands before it that is in no thread yet.

        Nothing is locked or written, but that a response which has ended is seen to its end.

        Raises:
            InvalidRequest, ConversationNotFound: As above; a conversation may be locked.
        """
        refuse_unfit(request)
        if request.conversation is not None:
            _refuse_chains(request.conversation)
            try:
                known, _ = self.threads.heads.known(owner, [request.conversation], about=None)
                head = known[request.conversation]
            except (KeyError, OwnerDeleted) as error:
                raise ConversationNotFound(request.conversation, param="conversation") from error
            self.lock.settle(head)
            tip, _ = self.recall.tip(owner, head.id, head.reached, "")
            return Place(path=head.path, position=tip.position, tokens=tip.tokens), []
        if request.previous_response_id is None:
            return None, []
        previous, before, output = self._previous(owner, request.previous_response_id)
        if before.place is None:
            return None, [*before.input, *output]
        return self._end_of("", previous, before, output), []

    def _placed(self, head: Head, request: Request) -> tuple[Head, Request]:
        if request.conversation is None and request.previous_response_id is None:
            return head, request
        refuse_unfit(request)
        if request.conversation is not None:
            place = self._in_conversation(head, request.conversation)
            request = replace(request, input=[renamed(item) for item in request.input])
        else:
            place = self._behind(head, request.previous_response_id or "")
        return replace(head, thread=place.path.thread), replace(request, place=place.to_json())

    def undo(self, head: Head) -> None:
        """Let go of the conversation of a response that could not be stored after all."""
        if head.thread is not None and Path.root(head.thread).is_conversation:
            self.lock.give_back(head.thread, head.id)

    def _in_conversation(self, head: Head, conversation_id: str) -> Place:
        _refuse_chains(conversation_id)
        try:
            conversation = self.lock.take(head.owner, conversation_id, head.id)
            tip, _ = self.recall.tip(head.owner, conversation_id, conversation.reached, head.id)
        except ConversationNotFound as error:
            raise ConversationNotFound(conversation_id, param="conversation") from error
        except RequestError:
            raise
        except ServiceError:
            with suppress(Unavailable):
                self.lock.give_back(conversation_id, head.id)
            raise
        return Place(path=conversation.path, position=tip.position, tokens=tip.tokens)

    def _behind(self, head: Head, previous_id: str) -> Place:
        previous, request, output = self._previous(head.owner, previous_id)
        if request.place is None:
            return self._kept(self._begun(previous, request, output))
        return self._kept(self._end_of(head.id, previous, request, output))

    def _previous(self, owner: str, previous_id: str) -> tuple[Head, Request, list[Json]]:
        """Return a response that can be continued: its head, what was asked, and what was answered."""
        try:
            record, request = self.read.record(owner, previous_id)
            previous = record.head
            if previous.has_ended and record.result is not None:
                status, output = previous.status, list(record.result["output"])
            else:
                answer = self.read.answer(previous)
                if answer.end is None:
                    raise _cannot(previous_id, "has not ended yet")
                self.read.ending.finish(previous, answer)
                status, output = answer.status, answer.output()
        except ResponseNotFound as error:
            raise _no_such(previous_id) from error
        if not previous.store:
            raise _no_such(previous_id)
        if status not in JOINING:
            raise _cannot(previous_id, _WHY[status])
        return previous, request, output

    def _end_of(self, response_id: str, previous: Head, request: Request, output: list[Json]) -> Place:
        """Return the place right behind a response that runs in a thread; the first id is the next one's."""
        place, added = Place.from_json(request.place or {}), len(request.input) + len(output)
        if place.in_conversation:
            return self._out_of_conversation(response_id, previous, place, added)
        if not added:
            return place
        slot = self.threads.log.at(previous.owner, place.path.thread, place.position)
        if slot is None or slot.closed:
            raise _no_such(previous.id)
        if slot.nonce != previous.id:
            place = replace(place, path=place.path.branch(chain_of(previous.id), place.position))
            slot = self.threads.log.at(previous.owner, place.path.thread, place.position)
        tokens = place.reached.with_entries(slot.entries).tokens if slot else None
        return replace(place, position=place.position + added, tokens=tokens)

    def _begun(self, previous: Head, request: Request, output: list[Json]) -> Place:
        """Return the end of a response that continues nothing: its thread is written when it is first needed.

        The head comes first, so that whatever stops half way is removed one day. Whoever comes second writes
        the same, and finds it there.
        """
        path, until = Path.root(chain_of(previous.id)), self.now() + self.kept_seconds + _DAY
        count = len(request.input) + len(output)
        there = self.threads.heads.head(path.thread)
        place = Place(path=path, position=count, kept_until=there.kept_until if there else until)
        last = max(0, count - 1) // MAX_ITEMS * MAX_ITEMS
        if there is None:
            self.join.begin(previous.owner, path, until)
        elif not count:
            return replace(place, tokens=0)
        elif written := self.threads.log.at(previous.owner, path.thread, last):
            return replace(
                place, tokens=Reached(0, 0).with_entries(written.entries).tokens if not last else None
            )
        items = self.join.items_of(previous.owner, request, output)
        place = replace(place, tokens=sum(item.tokens for item in items))
        try:
            for first in range(0, count, MAX_ITEMS):
                chunk = items[first : first + MAX_ITEMS]
                self.threads.log.append(
                    previous.owner, path.thread, first, chunk, previous.id, findable=False
                )
        except SlotTaken as taken:
            raise _no_such(previous.id) from taken  # it was deleted since
        still_there = self.read.stores.responses.head(previous.id)
        if still_there is None or still_there.deleted:
            self.forget(previous, request)
            raise _no_such(previous.id)
        return place

    def _out_of_conversation(self, response_id: str, previous: Head, place: Place, added: int) -> Place:
        """Return the place behind a response that ran in a conversation, in a thread beside it."""
        thread, end = self.threads.heads.head(place.path.thread), place.reached
        if thread is None or thread.deleted:
            raise _no_such(previous.id)
        if added:
            try:
                end, batch = self.recall.tip(previous.owner, place.path.thread, end, previous.id)
            except ConversationNotFound as error:
                raise _no_such(previous.id) from error
            if batch is None:
                raise _no_such(previous.id)
        path = place.path.branch(chain_of(response_id), end.position)
        return Place(path=path, position=end.position, tokens=end.tokens)

    def _kept(self, place: Place) -> Place:
        """Keep the chains that a new response builds on as long as itself; at most one write each a day."""
        until = self.now() + self.kept_seconds
        if place.kept_until is not None and place.kept_until >= until:
            return place
        for thread, _ in place.path.stretches:
            if thread.startswith(f"{CHAIN}_"):
                self.threads.heads.keep(thread, until=until + _DAY)
        return replace(place, kept_until=until + _DAY)


def refuse_unfit(request: Request) -> None:
    """Refuse what runs in no thread, whatever is in it.

    Raises:
        InvalidRequest: It continues two things at once, or has too much input.
    """
    if request.conversation is None and request.previous_response_id is None:
        return
    if request.conversation is not None and request.previous_response_id is not None:
        raise InvalidRequest(
            "Give 'conversation' or 'previous_response_id', not both.", param="previous_response_id"
        )
    if len(request.input) > MAX_INPUT:
        raise InvalidRequest(f"No more than {MAX_INPUT} items can be added at once.", param="input")


def _refuse_chains(conversation_id: str) -> None:
    if not Path.root(conversation_id).is_conversation:  # chains are threads, too
        raise ConversationNotFound(conversation_id, param="conversation")


_WHY = {Status.FAILED: "has failed", Status.CANCELLED: "was cancelled"}


def _no_such(response_id: str) -> InvalidRequest:
    return InvalidRequest(
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def _cannot(response_id: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"Response '{response_id}' {why}, so nothing can continue it. Continue the one before.",
        param="previous_response_id",
        code="previous_response_not_usable",
    )
