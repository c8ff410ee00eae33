"""Remembered: what a warm worker has opened of recent threads, so that it reads only what is new."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from meanwhile.domain.request import Json
from meanwhile.domain.threads import Entry
from meanwhile.operations.context.choose import Piece

Stamp = tuple[tuple[str, int, int], ...]
"""Each thread of a path, from where on the path runs through it, and how often items were deleted there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The newest items of a path before a position, opened."""

    stamp: Stamp
    position: int
    """All that stands before it, from `low` on, is in `pieces`, but for what was deleted."""
    low: int
    pieces: tuple[Piece, ...]
    """The newest first."""
    beyond: Entry | None
    """The next below `low`, which did not fit: whoever has no more room need not look for it."""
    pinned: Mapping[str, Piece | None]
    """What is pinned, by id, as far as it was looked for or shown; `None` if it is not there."""
    since: float


class Remembered:
    """Memories by owner and thread, bounded in bytes: the one that was used longest ago goes first.

    A memory is used only for the very path, and only while nothing was deleted on it. It is forgotten
    `seconds` after its oldest part was read, so that no accident to a deletion keeps content for longer.
    Where memory gets short everything is forgotten, and nothing more is kept until it is not. Safe to use
    from many threads.
    """

    def __init__(
        self, *, most_bytes: int, seconds: float, now: Callable[[], float], is_short: Callable[[], bool]
    ) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self.now = now
        self._is_short = is_short
        self._lock = Lock()
        self._held: OrderedDict[tuple[str, str], tuple[Memory, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """What all of it takes, about."""
        return self._bytes

    def of(self, owner: str, stamp: Stamp) -> Memory | None:
        """Return what is remembered of a path that is still as it was."""
        if not stamp:
            return None
        with self._lock:
            held = self._held.get((owner, stamp[-1][0]))
            if held is None:
                return None
            memory, _ = held
            if memory.stamp != stamp or self.now() >= memory.since + self._seconds:
                self._drop((owner, stamp[-1][0]))
                return None
            self._held.move_to_end((owner, stamp[-1][0]))
            return memory

    def keep(self, owner: str, memory: Memory) -> None:
        """Remember this of its path, instead of what was remembered, unless that goes further."""
        name, size = (owner, memory.stamp[-1][0]), _size(memory)
        is_short = self._is_short()
        with self._lock:
            if is_short:
                self._held.clear()
                self._bytes = 0
                return
            held = self._held.get(name)
            if held and held[0].stamp == memory.stamp and held[0].position > memory.position:
                return
            self._drop(name)
            if size > self._most_bytes:
                return
            self._held[name] = (memory, size)
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._held)))

    def _drop(self, name: tuple[str, str]) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            self._bytes -= held[1]


def _size(memory: Memory) -> int:
    pinned = [piece for piece in memory.pinned.values() if piece is not None]
    return sum(_bytes_of(piece.content) for piece in (*memory.pieces, *pinned))


def _bytes_of(content: Json | None) -> int:
    """Return what content takes in memory, about: each value, and what holds it."""
    total, todo = 0, [content]
    while todo:
        value: Any = todo.pop()
        total += sys.getsizeof(value)
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return total
