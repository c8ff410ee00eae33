"""Paths: a thread that branches off shares stretches of others, up to a position, and goes on by itself."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

CONVERSATION = "conv"
"""Prefix of threads that somebody has made by name."""


class Stretch(NamedTuple):
    """A thread, and the position from which on a path runs through it."""

    thread: str
    start: int


class Span(NamedTuple):
    """A part of a path: a thread's positions from `start` up to, not including, `end`; `None` is its tip."""

    thread: str
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Path:
    """Where a thread's items lie: oldest stretch first, its own last."""

    stretches: tuple[Stretch, ...]

    @classmethod
    def root(cls, thread: str) -> Self:
        """Return the path of a thread that continues nothing."""
        return cls((Stretch(thread, 0),))

    @property
    def thread(self) -> str:
        """The thread itself."""
        return self.stretches[-1].thread

    @property
    def start(self) -> int:
        """The first position that is the thread's own."""
        return self.stretches[-1].start

    @property
    def is_conversation(self) -> bool:
        """Whether somebody made the thread by name, and whoever runs in it locks it."""
        return self.thread.startswith(f"{CONVERSATION}_")

    @property
    def parent(self) -> Stretch | None:
        """The thread that this one branched off, and where; `None` if it is no branch."""
        return Stretch(self.stretches[-2].thread, self.start) if len(self.stretches) > 1 else None

    def branch(self, thread: str, at: int) -> "Path":
        """Return the path of a thread that shares what is before `at`; this one is its parent in any case."""
        shared = [Stretch(span.thread, span.start) for span in self.spans(at)][::-1]
        parent = () if shared and shared[-1].thread == self.thread else (Stretch(self.thread, at),)
        return Path((*shared, *parent, Stretch(thread, at)))

    def spans(self, end: int | None = None) -> Iterator[Span]:
        """Yield the parts of the path before position `end`, the newest first."""
        for stretch in reversed(self.stretches):
            if end is None or stretch.start < end:
                yield Span(stretch.thread, stretch.start, end)
                end = stretch.start

    def to_json(self) -> list[list[Any]]:
        """Return it as plain JSON values."""
        return [[thread, start] for thread, start in self.stretches]

    @classmethod
    def from_json(cls, stored: Iterable[Sequence[Any]]) -> Self:
        """Rebuild what `to_json` gave."""
        return cls(tuple(Stretch(thread, start) for thread, start in stored))
