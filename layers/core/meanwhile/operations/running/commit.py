"""Group commit: while one append is on its way, what comes meanwhile gathers and goes with the next."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence

from meanwhile.domain.answer import Answer
from meanwhile.domain.facts import FUNCTION_CALL, Delta, Fact, ItemAdded, coalesced, to_compact

MAX_BATCH_CHARS = 60_000
"""Characters of one append at most, so that a batch fits into an item whatever it is written in."""


class Commit:
    """Writes facts in groups: the first at once, later ones `pause()` seconds after the group before."""

    def __init__(self, append: Callable[[Sequence[Fact]], None], *, pause: Callable[[], float]) -> None:
        self._append = append
        self._pause = pause
        self._pending: list[Fact] = []
        self._arrived = asyncio.Event()
        self._closed = asyncio.Event()

    def add(self, facts: Sequence[Fact]) -> None:
        """Take facts to be written; returns at once."""
        if facts:
            self._pending.extend(facts)
            self._arrived.set()

    def withdraw(self, answer: Answer) -> None:
        """Take back calls that a model began to make last, of which nothing was written yet.

        Nobody has seen them, so nobody need be told that they are given up.
        """
        while answer.items and answer.items[-1].kind == FUNCTION_CALL and answer.items[-1].is_open:
            index = len(answer.items) - 1
            begun = [at for at, fact in enumerate(self._pending) if isinstance(fact, ItemAdded)]
            if not begun:
                return
            rest = [*self._pending[: begun[-1]], *self._pending[begun[-1] + 1 :]]
            self._pending = [fact for fact in rest if getattr(fact, "item", None) != index]
            answer.items.pop()

    def close(self) -> None:
        """Say that nothing more will come: the rest is written without a pause."""
        self._closed.set()
        self._arrived.set()

    async def run(self) -> None:
        """Write until closed and everything is written. What an append raises ends it."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            group, self._pending = coalesced(self._pending), []
            for batch in in_batches(group):
                await asyncio.to_thread(self._append, batch)
            if self._closed.is_set() and not self._pending:
                return
            await self._rest()

    async def _rest(self) -> None:
        """Let things gather for the length of the pause, or until closed."""
        try:
            async with asyncio.timeout(self._pause()):
                await self._closed.wait()
        except TimeoutError:
            return


def in_batches(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """Split facts so that each batch fits into an item; a long delta becomes several.

    Only before a delta: were an item's end written without the response's, a crash between the two would
    leave an item that is final beside the next try's.
    """
    batch: list[Fact] = []
    size = 0
    for fact in facts:
        for piece in _pieces(fact):
            length = len(json.dumps(to_compact(piece), ensure_ascii=False))
            if batch and isinstance(piece, Delta) and size + length > MAX_BATCH_CHARS:
                yield batch
                batch, size = [], 0
            batch.append(piece)
            size += length
    if batch:
        yield batch


def _pieces(fact: Fact) -> Iterator[Fact]:
    if not isinstance(fact, Delta) or len(fact.text) <= MAX_BATCH_CHARS:
        yield fact
        return
    for start in range(0, len(fact.text), MAX_BATCH_CHARS // 2):
        yield Delta(fact.item, fact.text[start : start + MAX_BATCH_CHARS // 2])
