"""Choose: which items of a thread a model is shown, by what stands in the clear of them. Opens nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.facts import COMPACTION
from meanwhile.domain.request import Json, Request
from meanwhile.domain.threads import Entry
from meanwhile.domain.window import Window

MOST_BYTES = 24_000_000
"""Of what is shown of a thread, as it is stored. An image of megabytes is a thousand tokens: a window of them
would take a worker's memory many times over, and all answers that are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How large things are. What is not counted is bounded: a token is a byte of text at the least."""

    window: Callable[[Request], Window]
    at_most: Callable[[Request], int]
    """Tokens of a request's own, at the most; takes no vocabulary."""
    count: Callable[[Request], int]
    """The same, counted: the first call of a process may take half a second."""


class Room:
    """A window that fills up. The request's own tokens are bounded first, and counted once it gets close."""

    def __init__(self, measure: Measure, request: Request) -> None:
        self.window = measure.window(request).to_read(request)
        self.own = measure.at_most(request)
        self._count = measure.count
        self._request = request
        self._is_counted = False

    def takes(self, tokens: int, size: int = 0) -> bool:
        """Whether so many tokens fit beside the request's own, and so many bytes into the worker."""
        if size > MOST_BYTES:
            return False
        if self.own + tokens > self.window.room and not self._is_counted:
            self.own, self._is_counted = self._count(self._request), True
        return self.own + tokens <= self.window.room

    def exceeded(self, before: int) -> InvalidRequest:
        """Return the error for so many tokens that do not fit, or, if they do, for their bytes."""
        if self.takes(before):
            return InvalidRequest(
                f"What this continues is more than {MOST_BYTES // 10**6} MB, as it is stored: no model can be"
                " shown that at once.",
                param="input",
                code="context_length_exceeded",
            )
        return self.window.exceeded(own=self.own, before=before)


class Piece(NamedTuple):
    """An item of a thread, and its content once somebody has opened it."""

    entry: Entry
    content: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Pieces in the order of the thread: those pinned that stand before all others, and the newest."""

    pinned: tuple[Piece, ...]
    newest: tuple[Piece, ...]
    left_out: int | None
    """The tokens that did not fit, with the newest and the pinned; `None` if everything was taken."""
    beyond: Entry | None = None
    """The newest that was not taken."""

    @property
    def tokens(self) -> int:
        """What they cost to read."""
        return sum(piece.entry.tokens for piece in (*self.pinned, *self.newest))

    @property
    def size(self) -> int:
        """Their bytes, as they are stored."""
        return sum(piece.entry.size for piece in (*self.pinned, *self.newest))

    @property
    def is_compacted(self) -> bool:
        """Whether the oldest of the newest stands for everything before it."""
        return bool(self.newest) and self.newest[0].entry.kind == COMPACTION


def _nothing() -> Sequence[Piece]:
    return ()


def choose(
    pieces: Iterable[Piece],
    room: Room,
    pinned: Callable[[], Sequence[Piece]] = _nothing,
    *,
    reserved: Sequence[Piece] = (),
) -> Chosen:
    """Return the newest of `pieces`, which come newest first, that fit with what is pinned.

    It ends with the first that does not fit, for there are no holes in what a model is shown, or with a
    compaction, which stands for what is before it. `pinned` finds what is pinned; it is asked for only if
    something is not shown anyway, and not at all where that is known and `reserved`. It may be more than
    fits: then nothing else is chosen.
    """
    always = {piece.entry.position for piece in reserved}
    run: list[Piece] = []
    tokens, beyond = sum(piece.entry.tokens for piece in reserved), None
    size = sum(piece.entry.size for piece in reserved)
    for piece in pieces:
        if piece.entry.position not in always:
            tokens, size = tokens + piece.entry.tokens, size + piece.entry.size
        if not room.takes(tokens, size):
            beyond = piece.entry
            break
        run.append(piece)
        if piece.entry.kind == COMPACTION:
            break
    if beyond is None and not (run and run[-1].entry.kind == COMPACTION):
        return Chosen(pinned=(), newest=tuple(reversed(run)), left_out=None)
    shown = {piece.entry.position for piece in run}
    kept = reserved or pinned()
    always = {piece.entry.position for piece in kept}
    first = [piece for piece in kept if piece.entry.position not in shown]
    spent = sum(piece.entry.tokens for piece in (*first, *run))
    size = sum(piece.entry.size for piece in (*first, *run))
    tokens = max(tokens, spent)
    while run and not room.takes(spent, size):
        last = run.pop()
        beyond = last.entry
        if last.entry.position in always:
            first.append(last)  # it costs what it did
        else:
            spent, size = spent - last.entry.tokens, size - last.entry.size
    first.sort(key=lambda piece: piece.entry.position)
    return Chosen(
        pinned=tuple(first),
        newest=tuple(reversed(run)),
        left_out=None if beyond is None else tokens,
        beyond=beyond,
    )
