"""The compact facts a log is made of: one per wire event, holding only what cannot be derived.

Sequence numbers, ids, indexes, full texts and snapshots are rebuilt by the fold. Events 0 and 1
(`response.created`, and `response.queued` or `response.in_progress`) follow from the head, so the first
fact of a log is event 2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.model_events import Usage
from meanwhile.domain.response import Ended, Status

FIRST_FACT_SEQ = 2

MESSAGE, REASONING, FUNCTION_CALL = "message", "reasoning", "function_call"
COMPACTION = "compaction"
"""Kind of the items that stand for everything before them: what a model is shown begins with the newest."""
OUTPUT_TEXT, REFUSAL, REASONING_TEXT, ARGUMENTS = "output_text", "refusal", "reasoning_text", "arguments"
ENCRYPTED_CONTENT = "encrypted_content"


@dataclass(frozen=True, slots=True)
class Started:
    """A worker took it up: `response.in_progress`. Only background responses have it."""


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """A new output item, always the next index: `response.output_item.added`."""

    kind: str
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class PartAdded:
    """A new content part at the end of an item: `response.content_part.added`."""

    item: int
    kind: str


@dataclass(frozen=True, slots=True)
class Delta:
    """More text for the last part of an item, or more of its arguments."""

    item: int
    text: str


@dataclass(frozen=True, slots=True)
class TextDone:
    """The text, refusal, reasoning or arguments of an item are whole."""

    item: int


@dataclass(frozen=True, slots=True)
class PartDone:
    """The last part of an item is whole: `response.content_part.done`."""

    item: int


@dataclass(frozen=True, slots=True)
class ItemDone:
    """An item is finished: `response.output_item.done`."""

    item: int
    status: Status = Status.COMPLETED


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An item that a crash left half written is cleared: `response.output_item.done`, incomplete, empty."""

    item: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a model was not shown of its thread: `response.in_progress`, once more. Numbers only.

    Nobody has opened or read it, so deleted items may be among them.
    """

    items: int
    tokens: int | None
    """At the most; `None` if nobody has kept count."""
    first: int
    """Its first and last position in the thread; what was pinned in between was shown."""
    last: int


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was said before has become a compaction item, always the next index: `response.output_item.added`.

    It comes whole, and its `ItemDone` in the same batch: a crash leaves all of it or nothing.
    """

    content: str
    """Sealed (`domain/compaction.py`), as its owner is shown it."""
    usage: Usage | None
    """What making it has cost; `None` if the provider did not say."""


Fact = (
    Started
    | Dropped
    | ItemAdded
    | PartAdded
    | Delta
    | TextDone
    | PartDone
    | ItemDone
    | GivenUp
    | Compacted
    | Ended
)


def to_compact(fact: Fact) -> list[Any]:
    """Return a fact as a short JSON array, its first element the code of its kind."""
    match fact:
        case Started():
            return ["s"]
        case Dropped(items, tokens, first, last):
            return ["x", items, tokens, first, last]
        case ItemAdded(kind, call_id, name):
            return ["i", kind, call_id, name] if call_id or name else ["i", kind]
        case PartAdded(item, kind):
            return ["p", item, kind]
        case Delta(item, text):
            return ["d", item, text]
        case TextDone(item):
            return ["t", item]
        case PartDone(item):
            return ["q", item]
        case ItemDone(item, status):
            return ["j", item] if status is Status.COMPLETED else ["j", item, status.value]
        case GivenUp(item):
            return ["g", item]
        case Compacted(content, usage):
            return ["c", content, _counts(usage)]
        case Ended():
            return [
                "e",
                fact.status.value,
                fact.at,
                fact.reason,
                fact.code,
                fact.message,
                _counts(fact.usage),
            ]


def _counts(usage: Usage | None) -> list[int] | None:
    if usage is None:
        return None
    return [
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    ]


def from_compact(stored: Sequence[Any]) -> Fact:
    """Rebuild the fact that `to_compact` gave.

    Raises:
        LogCorrupt: No version of this service writes such a fact.
    """
    try:
        return _from_compact(stored)
    except (ValueError, TypeError, IndexError) as error:
        raise LogCorrupt("a fact that cannot be read") from error


def _from_compact(stored: Sequence[Any]) -> Fact:
    match list(stored):
        case ["s"]:
            return Started()
        case ["x", items, tokens, first, last]:
            return Dropped(items, tokens, first, last)
        case ["i", kind, *rest]:
            return ItemAdded(kind, *rest)
        case ["p", item, kind]:
            return PartAdded(item, kind)
        case ["d", item, text]:
            return Delta(item, text)
        case ["t", item]:
            return TextDone(item)
        case ["q", item]:
            return PartDone(item)
        case ["j", item]:
            return ItemDone(item)
        case ["j", item, status]:
            return ItemDone(item, Status(status))
        case ["g", item]:
            return GivenUp(item)
        case ["c", content, counts]:
            return Compacted(content, _usage(counts))
        case ["e", status, at, reason, code, message, counts]:
            return Ended(
                status=Status(status),
                at=at,
                reason=reason,
                code=code,
                message=message,
                usage=_usage(counts),
            )
    raise LogCorrupt("a fact of an unknown kind")


def _usage(counts: Sequence[int] | None) -> Usage | None:
    if counts is None:
        return None
    return Usage(
        input_tokens=counts[0],
        output_tokens=counts[1],
        cached_tokens=counts[2],
        cache_write_tokens=counts[3],
        reasoning_tokens=counts[4],
    )


def coalesced(facts: Iterable[Fact]) -> list[Fact]:
    """Join neighbouring deltas of one item: what is written together is one event."""
    joined: list[Fact] = []
    run: list[str] = []
    for fact in facts:
        last = joined[-1] if joined else None
        if isinstance(fact, Delta) and isinstance(last, Delta) and last.item == fact.item:
            run.append(fact.text)
            continue
        _close(joined, run)
        joined.append(fact)
    _close(joined, run)
    return joined


def _close(joined: list[Fact], run: list[str]) -> None:
    if run and isinstance(last := joined[-1], Delta):
        joined[-1] = Delta(last.item, last.text + "".join(run))
        run.clear()
