"""Threads: numbered items in batches, each written by one call, read as one history that can branch.

The rules that can be seen in what was written (the others are kept by those who write):

- positions run from a thread's start without gap or repeat: a batch stands at its first position, and the
  next one where it ends, so that whoever continues the same tip meets at the same key;
- a thread that branches off has a path: stretches of other threads up to a position, and its own from there;
- a batch is there or is not: half of one is never seen;
- an item that was deleted keeps its position.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.ids import derived_id, new_item_id
from meanwhile.domain.paths import Path, Span
from meanwhile.domain.request import Json

CHAIN = "thr"
"""Prefix of threads that nobody made by name: those of responses that continue each other."""
MAX_ITEMS = 1_000
"""Items of one batch: their descriptors have to fit into one item of the table beside their content."""


class Reached(NamedTuple):
    """How far a thread goes."""

    position: int
    tokens: int | None
    """What the items before cost to read, at the most; `None` if nobody has kept count."""

    def with_entries(self, entries: "Iterable[Entry]") -> "Reached":
        """Return how far it goes with these items behind the others."""
        more = list(entries)
        tokens = None if self.tokens is None else self.tokens + sum(entry.tokens for entry in more)
        return Reached(more[-1].position + 1 if more else self.position, tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a thread a response runs: behind everything on `path` before `position`."""

    path: Path
    position: int
    tokens: int | None = None
    """What all of that costs to read, at the most; `None` if nobody knows."""
    kept_until: float | None = None
    """Until when the chains on the path are kept, as far as is known; seconds since 1970."""

    @property
    def reached(self) -> Reached:
        """Where it is, and what stands before it."""
        return Reached(self.position, self.tokens)

    @property
    def in_conversation(self) -> bool:
        """Whether it runs in a conversation, which it has locked, and not just behind another response."""
        return self.path.is_conversation

    def to_json(self) -> Json:
        """Return it as plain JSON values."""
        said = {"position": self.position, "tokens": self.tokens, "kept_until": self.kept_until}
        return {"path": self.path.to_json()} | said

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` gave."""
        return cls(
            path=Path.from_json(stored["path"]),
            position=stored["position"],
            tokens=stored.get("tokens"),
            kept_until=stored["kept_until"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to be added: its content in the API's shape, with its id, and what it costs to read."""

    content: Json
    tokens: int
    version: int = 1
    parent_version: int | None = None

    @property
    def id(self) -> str:
        """The item's id."""
        found: str = self.content["id"]
        return found

    @property
    def kind(self) -> str:
        """The item's type: `message`, `function_call`, ..."""
        found: str = self.content["type"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a thread says of an item without opening it."""

    id: str
    kind: str
    tokens: int
    position: int
    version: int = 1
    parent_version: int | None = None
    deleted: bool = False
    """It keeps its position, and has no content any more."""
    size: int = field(default=0, compare=False)
    """Bytes of its content, as it is stored."""
    kept: Any = field(default=None, compare=False, repr=False)
    """Where its content lies: for the store that gave the entry."""

    def without_content(self) -> "Entry":
        """Return what is left of it once it is deleted."""
        return replace(self, tokens=0, deleted=True, size=0, kept=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadBatch:
    """One write to a thread, as it was read."""

    first: int
    nonce: str
    entries: tuple[Entry, ...]
    revision: int = 0
    """How often items in it were deleted."""
    closed: bool = False
    """It is a tombstone: its thread was deleted, here and from here on nothing is, nor will be."""
    in_bucket: bool = field(default=False, compare=False)
    """Whether some of its contents lie in an object."""
    kept: Any = field(default=None, compare=False, repr=False)

    @property
    def end(self) -> int:
        """The position behind it, where the next one stands."""
        return self.first + len(self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadHead:
    """The small item that says whose a thread is and what holds it. Times are seconds since 1970."""

    id: str
    owner: str
    path: Path
    created_at: float
    active_at: float
    tip: int = 0
    """Up to here there are items, at the least: whoever finds fewer has found less than was written."""
    tokens: int | None = None
    """What the items before `tip` cost to read, at the most: those deleted since are still in it."""
    changes: int = 0
    """Goes up before and after items are deleted: at another number, what was read may be gone."""
    asked: str | None = None
    """What the call asked for that made it under a key; only a keyed hash, to tell another call by."""
    lock: str | None = None
    """The response that runs in it."""
    locked_at: float = 0
    kept_until: float | None = None
    """Until when a chain is kept, at the least; `None`: until somebody deletes it."""
    deleted: bool = False

    @property
    def reached(self) -> Reached:
        """How far it goes, at the least."""
        return Reached(self.tip, self.tokens)

    def is_gone(self, now: float) -> bool:
        """Whether readers must take it for gone."""
        return self.deleted or (self.kept_until is not None and now >= self.kept_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What its owner says about a conversation: all of it is content."""

    title: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    """Ids of items that a model is always shown, however long the conversation grows."""
    version: int = 1
    """Goes up by one with every update."""
    created_at: float = 0


def checked_below(batch: ThreadBatch, above: int | None, span: Span, *, tip: int = 0) -> int:
    """Return where a thread goes on below `batch`, which was found next below position `above`.

    `above` is the span's end for the first batch, which may reach beyond it: a branch may begin inside it.

    Raises:
        LogCorrupt: Items are missing between the two, or at the tip.
    """
    if above is None:
        fits = batch.end >= tip
    elif above == span.end:
        fits = batch.end >= above
    else:
        fits = batch.end == above
    if not fits or batch.first < span.start or batch.end == batch.first:
        raise missing(above if above is not None else tip)
    return batch.first


def checked_above(batch: ThreadBatch, below: int) -> int:
    """Return where a thread goes on behind `batch`, which was found next from position `below` on.

    Raises:
        LogCorrupt: Items are missing between the two.
    """
    if batch.first != below or batch.end == batch.first:
        raise missing(batch.first)
    return batch.end


def missing(position: int) -> LogCorrupt:
    """Return the error for items that were written before this position and are not there."""
    return LogCorrupt(f"items before position {position} are not there")


def renamed(item: Json) -> Json:
    """Return an item under a new id: what is added to a thread must have one that is new to it."""
    return {**item, "id": new_item_id(item["type"])}


def items_of(contents: Sequence[Json], tokens: Callable[[Json], int]) -> list[NewItem]:
    """Return items to be added, each with what it costs to read."""
    return [NewItem(content=content, tokens=tokens(content)) for content in contents]


def chain_of(response_id: str) -> str:
    """Return the id of the thread that a response begins when it continues nothing, or forks."""
    return derived_id(CHAIN, response_id, 0)
