"""Recall: read a thread along its path, newest first or oldest first, and open what is wanted of it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from meanwhile.domain.errors import ConversationNotFound
from meanwhile.domain.paths import Path, Span
from meanwhile.domain.request import Json
from meanwhile.domain.threads import Entry, Place, Reached, ThreadBatch, checked_above, checked_below, missing
from meanwhile.storage.stores import Threads

_PAGE = 50
_FIRST, _MOST = 8, 100
"""Batches of the first query of a walk that nobody knows the length of, and of its longest."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Found:
    """Where an item was found."""

    thread: str
    batch: ThreadBatch
    entry: Entry


class _Cut(Exception):
    """A thread on the path was deleted: what it held is gone, for those that branch off it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Reads items by what stands in the clear of them; deleted ones are passed over.

    Whatever reads raises `LogCorrupt` if items are missing that were written and not deleted, `Tampered` if
    something is not what was written there, and `ConversationNotFound` if the thread itself is deleted.
    """

    threads: Threads

    def within(self, owner: str, place: Place, budget: int) -> list[Entry]:
        """Return the newest items before a place that fit into `budget` tokens together, oldest first.

        Stops at the first that does not fit: what a model is shown has no holes. What it costs follows the
        budget, not the length of the thread, and nothing is opened.
        """
        chosen: list[Entry] = []
        for entry in self.back(owner, place.path, below=place.position):
            budget -= entry.tokens
            if budget < 0:
                break
            chosen.append(entry)
        return chosen[::-1]

    def open(self, owner: str, entries: Sequence[Entry]) -> list[Json]:
        """Return the contents of items, in the API's shape and in the order given."""
        return self.threads.log.open(owner, entries) if entries else []

    def down(
        self, owner: str, path: Path, *, below: int | None = None, tip: int = 0, page: int = _PAGE
    ) -> Iterator[Entry]:
        """Yield the items before a position, or all of them, newest first; one query a page of items."""
        for span in path.spans(below):
            try:
                yield from self._down(owner, span, tip if span.end is None else 0, page)
            except _Cut:
                self._refuse(path, span)

    def back(self, owner: str, path: Path, *, below: int, batches: int = _FIRST) -> Iterator[Entry]:
        """Yield the items before a position, newest first, for somebody who may stop at any.

        The first query reads a few batches, and each further one twice as many: nobody knows how long they
        are, and what is read beside what is wanted costs as much.
        """
        for span in path.spans(below):
            try:
                yield from self._back(owner, span, batches)
            except _Cut:
                self._refuse(path, span)

    def up(
        self, owner: str, path: Path, *, after: Found | None = None, tip: int = 0, page: int = _PAGE
    ) -> Iterator[Entry]:
        """Yield the items behind one that was found, or all of them, oldest first; one query a page."""
        for span in reversed(list(path.spans())):
            if after is not None and span.end is not None and span.end <= after.entry.position:
                continue
            begins = after.batch.first if after and after.thread == span.thread else span.start
            try:
                for entry in self._up(owner, span, begins, tip if span.end is None else 0, page):
                    if after is None or entry.position > after.entry.position:
                        yield entry
            except _Cut:
                self._refuse(path, span)

    def find(self, owner: str, path: Path, item_id: str) -> Found | None:
        """Return where an item of this id is, the newest if there are several; deleted ones too."""
        for span in path.spans():
            for first in self.threads.log.find(span.thread, item_id):
                batch = self.threads.log.at(owner, span.thread, first)
                for entry in reversed(batch.entries if batch else ()):
                    if entry.id == item_id and (span.end is None or entry.position < span.end):
                        return Found(span.thread, batch, entry) if batch else None
        return None

    def find_all(self, owner: str, path: Path, item_ids: Sequence[str]) -> list[Found]:
        """Return where items of these ids are, as far as they are there; several are looked for at once."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda item_id: self.find(owner, path, item_id), item_ids)
            return [each for each in found if each is not None]

    def tip(self, owner: str, thread: str, start: Reached, nonce: str) -> tuple[Reached, ThreadBatch | None]:
        """Return where a thread ends, looked for from where it was, or the batch of this nonce and its end.

        Raises:
            ConversationNotFound: It was deleted.
        """
        while batches := self.threads.log.up(owner, thread, start=start.position, items=_PAGE):
            for batch in batches:
                if batch.closed:
                    raise ConversationNotFound(thread)
                checked_above(batch, start.position)
                start = start.with_entries(batch.entries)
                if batch.nonce == nonce:
                    return start, batch
        return start, None

    def _down(self, owner: str, span: Span, tip: int, page: int) -> Iterator[Entry]:
        above = span.end
        while above is None or above > span.start:
            batches = self.threads.log.down(owner, span.thread, below=above, items=page)
            if not batches and above is None and tip <= span.start:
                return
            if not batches:
                self._is_cut(span)
                raise missing(above or tip)
            for batch in batches:
                if batch.closed:
                    self._is_cut(span)
                above = checked_below(batch, above, span, tip=tip)
                for entry in reversed(batch.entries):
                    if not entry.deleted and (span.end is None or entry.position < span.end):
                        yield entry

    def _back(self, owner: str, span: Span, batches: int) -> Iterator[Entry]:
        above = span.end or 0
        while above > span.start:
            found = self.threads.log.newest(owner, span.thread, below=above, batches=batches)
            yield from self._checked(found, above, span)
            above, batches = found[-1].first, min(2 * batches, _MOST)

    def _checked(self, batches: Sequence[ThreadBatch], above: int, span: Span) -> Iterator[Entry]:
        """Yield the entries of a span in batches that were found below a position, newest first."""
        if not batches:
            self._is_cut(span)
            raise missing(above)
        for batch in batches:
            if batch.closed:
                self._is_cut(span)
            above = checked_below(batch, above, span)
            for entry in reversed(batch.entries):
                if not entry.deleted and (span.end is None or entry.position < span.end):
                    yield entry

    def _up(self, owner: str, span: Span, begins: int, tip: int, page: int) -> Iterator[Entry]:
        below = begins
        while span.end is None or below < span.end:
            batches = self.threads.log.up(owner, span.thread, start=below, items=page)
            for batch in batches:
                if batch.closed:
                    self._is_cut(span)
                below = checked_above(batch, below)
                for entry in batch.entries:
                    if not entry.deleted and (span.end is None or entry.position < span.end):
                        yield entry
                if span.end is not None and below >= span.end:
                    return
            if sum(not entry.deleted for batch in batches for entry in batch.entries) < page:
                break
        if below < (tip if span.end is None else span.end):
            self._is_cut(span)
            raise missing(span.end or tip)

    def _is_cut(self, span: Span) -> None:
        """Tell a thread that was deleted, or is long gone, from one that something was taken out of."""
        head = self.threads.heads.head(span.thread)
        if head is None or head.deleted:
            raise _Cut

    def _refuse(self, path: Path, span: Span) -> None:
        """Let readers of a branch do without what it shared, and readers of what is deleted hear of it."""
        if span.thread == path.thread:
            raise ConversationNotFound(path.thread)
