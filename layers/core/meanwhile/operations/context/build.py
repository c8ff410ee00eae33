"""Context: what a model is shown of a request that runs in a thread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, Unavailable
from meanwhile.domain.facts import COMPACTION, Dropped
from meanwhile.domain.request import Json, Request
from meanwhile.domain.threads import Entry, Place
from meanwhile.domain.window import no_input, stands_alone, uncalled, unpaired
from meanwhile.operations.context.choose import Chosen, Measure, Piece, Room, choose
from meanwhile.operations.context.remembered import Memory, Remembered, Stamp
from meanwhile.operations.threads.recall import Recall

_BATCHES = 8
"""That the first query reads."""
_STRETCHES = 90
"""Threads of a path whose heads are read in one call; what has more is read anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a model is asked."""

    request: Request
    """Its input is everything that is shown: what is pinned, what was said before, and its own at the end."""
    recalled: int = 0
    """Tokens of what was said before, as they were counted when it was written."""
    dropped: Dropped | None = None
    pinned: frozenset[str] = frozenset()
    """Ids of items that are shown whatever becomes of the others."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a thread before any item is read."""

    stamp: Stamp
    pinned: Sequence[str]
    memory: Memory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Reads newest first, by what stands in the clear, until the model's window is full; opens only that.

    One call for heads and pins, then a few queries for what is new, whatever the thread's length.
    """

    recall: Recall
    measure: Measure
    expand: Callable[[str, Json], list[Json]]
    """What stands in place of an owner's item of kind `compaction`."""
    remembered: Remembered

    def __call__(self, owner: str, request: Request) -> Shown:
        """Return a request as its model is shown it; takes no call for one that runs in no thread.

        Raises:
            InvalidRequest: `context_length_exceeded`; an output in its input belongs to no call; or nothing
                is asked, and nothing of what was said can be shown.
            ConversationNotFound: Its thread was deleted.
            LogCorrupt: The thread cannot be read.
            Unavailable: The table or the bucket does not answer.
        """
        if request.place is None or stands_alone(request):
            return Shown(request=request)
        place, room = Place.from_json(request.place), Room(self.measure, request)
        known = self._known(owner, place)
        chosen = self._chosen(owner, place, room, known)
        if chosen.left_out is not None and request.truncation != "auto":
            raise room.exceeded(chosen.left_out)
        if not room.takes(chosen.tokens, chosen.size):
            raise room.exceeded(max(chosen.tokens, chosen.left_out or 0))
        chosen = self._opened(owner, place, chosen)
        if known.stamp:
            self._remember(owner, place, known, chosen)
        shown = self._shown(owner, request, place, room, chosen)
        return replace(shown, pinned=frozenset(known.pinned))

    def tokens(self, owner: str, request: Request, place: Place) -> int:
        """Return what a model would read, the request's own included, without opening anything.

        Where not everything fits: what would be left with `truncation: auto`, or all of it, as far as
        anybody has kept count.
        """
        room = Room(self.measure, request)
        own = self.measure.count(request)
        chosen = self._chosen(owner, place, room, self._known(owner, place))
        if chosen.left_out is not None and request.truncation != "auto":
            return own + max(chosen.left_out, place.tokens or 0)
        return own + chosen.tokens

    def _known(self, owner: str, place: Place) -> _Known:
        """Read heads before items: what is deleted in between counts as a change, and is read again."""
        below = list(place.path.spans(place.position))[::-1]
        threads = {span.thread for span in below} | ({place.path.thread} if place.in_conversation else set())
        about = place.path.thread if place.in_conversation else None
        if len(threads) > _STRETCHES:
            threads, below = {place.path.thread}, []
        heads, said = self.recall.threads.heads.known(owner, sorted(threads), about=about)
        if about is not None and (about not in heads or said is None):
            raise ConversationNotFound(about)
        stamp: Stamp = ()
        if all(span.thread in heads for span in below):
            stamp = tuple((span.thread, span.start, heads[span.thread].changes) for span in below)
        return _Known(stamp, said.pinned if said else (), self.remembered.of(owner, stamp))

    def _chosen(self, owner: str, place: Place, room: Room, known: _Known) -> Chosen:
        pieces = self._pieces(owner, place, known.memory)
        held = _held(place, known)
        reserved = self._pinned(owner, place, known) if all(each in held for each in known.pinned) else ()
        return choose(pieces, room, lambda: self._pinned(owner, place, known), reserved=reserved)

    def _pieces(self, owner: str, place: Place, memory: Memory | None) -> Iterator[Piece]:
        """Yield what stands before a place, newest first, from memory as far as it goes."""
        below = place.position
        if memory is not None:
            new = max(1, place.position - memory.position)
            for entry in self._back(owner, place, place.position, new, low=memory.position):
                if entry.position >= memory.position:
                    yield Piece(entry)
                if entry.position <= memory.position:
                    break
            yield from (piece for piece in memory.pieces if piece.entry.position < place.position)
            below = min(place.position, memory.low)
            if memory.beyond is not None and memory.beyond.position < below:
                yield Piece(memory.beyond)
                below = memory.beyond.position
        yield from map(Piece, self._back(owner, place, below, _BATCHES))

    def _back(self, owner: str, place: Place, below: int, batches: int, *, low: int = 0) -> Iterator[Entry]:
        if below > low:
            yield from self.recall.back(owner, place.path, below=below, batches=min(batches, _BATCHES))

    def _pinned(self, owner: str, place: Place, known: _Known) -> list[Piece]:
        held = _held(place, known)
        missing = [item_id for item_id in known.pinned if item_id not in held]
        found = self.recall.find_all(owner, place.path, missing) if missing else []
        pieces = [Piece(each.entry) for each in found if not each.entry.deleted]
        pieces += [piece for item_id in known.pinned if (piece := held.get(item_id)) is not None]
        return [piece for piece in pieces if piece.entry.position < place.position]

    def _opened(self, owner: str, place: Place, chosen: Chosen) -> Chosen:
        sealed = [piece.entry for piece in (*chosen.pinned, *chosen.newest) if piece.content is None]
        sealed = [entry if entry.kept is not None else self._again(owner, place, entry) for entry in sealed]
        contents = dict(
            zip([entry.position for entry in sealed], self.recall.open(owner, sealed), strict=True)
        )

        def opened(piece: Piece) -> Piece:
            if piece.content is not None:
                return piece
            return Piece(replace(piece.entry, kept=None), contents[piece.entry.position])

        return replace(
            chosen, pinned=tuple(map(opened, chosen.pinned)), newest=tuple(map(opened, chosen.newest))
        )

    def _again(self, owner: str, place: Place, entry: Entry) -> Entry:
        """Return an entry that did not fit before, with its content."""
        for there in self._back(owner, place, entry.position + 1, 1):
            if there.position == entry.position:
                return there
            break
        raise Unavailable("an item was deleted since")

    def _remember(self, owner: str, place: Place, known: _Known, chosen: Chosen) -> None:
        newest, memory = chosen.newest, known.memory
        if chosen.left_out is None and not chosen.is_compacted:
            low = 0
        else:
            low = newest[0].entry.position if newest else place.position
        shown = {piece.entry.id: piece for piece in (*chosen.pinned, *newest)}
        has_looked = chosen.left_out is not None or chosen.is_compacted
        pinned = {item_id: shown.get(item_id) for item_id in known.pinned if has_looked or item_id in shown}
        self.remembered.keep(
            owner,
            Memory(
                stamp=known.stamp,
                position=place.position,
                low=low,
                pieces=newest[::-1],
                beyond=replace(chosen.beyond, kept=None) if chosen.beyond is not None else None,
                pinned=pinned,
                since=memory.since if memory else self.remembered.now(),
            ),
        )

    def _shown(self, owner: str, request: Request, place: Place, room: Room, chosen: Chosen) -> Shown:
        told = self._told(owner, chosen)
        items = [item for _, item in told]
        lost = unpaired(items, request.input)
        if call_id := uncalled([item for at, item in enumerate(items) if at not in lost], request.input):
            if chosen.left_out is not None:
                raise room.exceeded(chosen.left_out)
            raise InvalidRequest(
                f"No tool call found for function call output with call_id {call_id}.", param="input"
            )
        kept = room.window.readable([item for at, item in enumerate(items) if at not in lost])
        if not kept and not request.input and not request.is_compaction:
            raise no_input() if chosen.left_out is None else room.exceeded(chosen.left_out)
        there = {entry.position: entry for at, (entry, _) in enumerate(told) if at not in lost}
        left = {entry.position: entry for entry, _ in told if entry.position not in there}
        return Shown(
            request=replace(request, input=[*kept, *request.input]),
            recalled=sum(entry.tokens for entry in there.values()),
            dropped=_dropped(place, chosen, list(left.values())),
        )

    def _told(self, owner: str, chosen: Chosen) -> list[tuple[Entry, Json]]:
        """Return what is chosen item by item, compactions expanded.

        What is pinned and kept by a compaction, too, is told once, and whole: the compaction may have cut it.
        """
        pinned = {piece.entry.id: piece for piece in chosen.pinned}
        newest: list[tuple[Entry, Json]] = []
        for piece in chosen.newest:
            for item in self._expanded(owner, piece):
                whole = pinned.pop(item["id"], None) if piece.entry.kind == COMPACTION else None
                newest.append((piece.entry, (whole and whole.content) or item))
        oldest = [(piece.entry, item) for piece in pinned.values() for item in self._expanded(owner, piece)]
        return [*oldest, *newest]

    def _expanded(self, owner: str, piece: Piece) -> list[Json]:
        content = piece.content or {}
        return self.expand(owner, content) if piece.entry.kind == COMPACTION else [content]


def _held(place: Place, known: _Known) -> Mapping[str, Piece | None]:
    """Return what is remembered of what is pinned; what was not there may be there at a later place."""
    if known.memory is None:
        return {}
    is_later = place.position > known.memory.position
    return {item_id: piece for item_id, piece in known.memory.pinned.items() if piece or not is_later}


def _dropped(place: Place, chosen: Chosen, lost: Sequence[Entry]) -> Dropped | None:
    """Return the numbers of what is not shown: what stands before the newest, and what lost its pair."""
    border = 0
    if chosen.left_out is not None:
        border = chosen.newest[0].entry.position if chosen.newest else place.position
    shown = {piece.entry.position for piece in chosen.pinned}
    ends = [entry.position for entry in lost]
    for way in (range(border), range(border - 1, -1, -1)):
        ends += [next(position for position in way if position not in shown)] if border > len(shown) else []
    if not ends:
        return None
    tokens: int | None = sum(entry.tokens for entry in lost)
    if border:
        tokens = None if place.tokens is None else max(0, place.tokens - chosen.tokens) + (tokens or 0)
    items = border - sum(position < border for position in shown) + len(lost)
    return Dropped(items=items, tokens=tokens, first=min(ends), last=max(ends))
