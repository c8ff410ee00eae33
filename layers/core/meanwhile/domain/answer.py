"""The fold: facts in, the answer so far out. Live and replay take this one path."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.facts import (
    ARGUMENTS,
    COMPACTION,
    ENCRYPTED_CONTENT,
    FUNCTION_CALL,
    MESSAGE,
    OUTPUT_TEXT,
    REASONING,
    REFUSAL,
    Compacted,
    Delta,
    Dropped,
    Fact,
    GivenUp,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    Started,
    TextDone,
)
from meanwhile.domain.ids import ITEM_PREFIXES, derived_id
from meanwhile.domain.model_events import NOTHING, Usage, together
from meanwhile.domain.response import Ended, Status

_WRITTEN = {MESSAGE, REASONING, FUNCTION_CALL}
"""Items that a model writes bit by bit."""
_WITHOUT_PARTS_NOTHING = {FUNCTION_CALL, COMPACTION}
"""Items that mean nothing once their only part is gone."""


@dataclass(slots=True)
class Part:
    """One content part of an item, or the arguments of a call."""

    kind: str
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it, so far."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    def to_json(self) -> dict[str, Any]:
        """Return it in the API's shape."""
        if self.kind == OUTPUT_TEXT:
            return {"type": OUTPUT_TEXT, "text": self.text, "annotations": [], "logprobs": []}
        if self.kind == REFUSAL:
            return {"type": REFUSAL, "refusal": self.text}
        return {"type": self.kind, "text": self.text}


@dataclass(slots=True)
class Item:
    """One output item: a message, a function call, reasoning, or a compaction."""

    id: str
    kind: str
    call_id: str = ""
    name: str = ""
    status: Status = Status.IN_PROGRESS
    parts: list[Part] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self.status is Status.IN_PROGRESS

    def to_json(self) -> dict[str, Any]:
        """Return it in the API's shape, with the text it has so far."""
        if self.kind == COMPACTION:
            content = self.parts[0].text if self.parts else ""
            return {"id": self.id, "type": COMPACTION, ENCRYPTED_CONTENT: content}
        common = {"id": self.id, "type": self.kind, "status": self.status.value}
        if self.kind == FUNCTION_CALL:
            arguments = self.parts[0].text if self.parts else ""
            return common | {"call_id": self.call_id, "name": self.name, "arguments": arguments}
        parts = [part.to_json() for part in self.parts]
        if self.kind == REASONING:
            return common | {"summary": [], "content": parts}
        return common | {"role": "assistant", "content": parts}


@dataclass(slots=True)
class Answer:
    """What the log says, as of the facts applied so far."""

    response_id: str
    background: bool
    started: bool = False
    dropped: Dropped | None = None
    items: list[Item] = field(default_factory=list)
    end: Ended | None = None
    spent: Usage | None = NOTHING
    """What model calls have cost that wrote none of the answer; `None` if a provider did not say."""

    @property
    def compaction(self) -> dict[str, Any] | None:
        """What stands for all that came before the answer, in the API's shape; mostly there is nothing."""
        return next((item.to_json() for item in self.items if item.kind == COMPACTION and item.parts), None)

    @property
    def status(self) -> Status:
        """The status the log has decided."""
        if self.end is not None:
            return self.end.status
        return Status.QUEUED if self.background and not self.started else Status.IN_PROGRESS

    def apply(self, fact: Fact) -> None:
        """Take one more fact into account.

        Raises:
            LogCorrupt: The fact cannot follow those before it.
        """
        if self.end is not None:
            raise LogCorrupt("a fact behind the end")
        match fact:
            case Started():
                self.started = True
            case Dropped():
                self.dropped = fact
            case ItemAdded(kind, call_id, name):
                if kind not in _WRITTEN:
                    raise LogCorrupt("an item of an unknown kind")
                parts = [Part(ARGUMENTS)] if kind == FUNCTION_CALL else []
                self.items.append(Item(self._next_id(kind), kind, call_id, name, parts=parts))
            case Compacted(content, usage):
                self.items.append(
                    Item(self._next_id(COMPACTION), COMPACTION, parts=[Part(ENCRYPTED_CONTENT, [content])])
                )
                self.spent = together(self.spent, usage)
            case PartAdded(index, kind):
                self._open(index).parts.append(Part(kind))
            case Delta(index, text):
                self._part(index).pieces.append(text)
            case TextDone(index) | PartDone(index):
                self._part(index)
            case ItemDone(index, status):
                self._open(index).status = status
            case GivenUp(index):
                item = self._open(index)
                item.status, item.parts = Status.INCOMPLETE, []
            case Ended():
                self.end = fact
                self._close()

    def output(self) -> list[dict[str, Any]]:
        """Return the output items in the API's shape; a cancelled response has none.

        A call that was given up is left out: agents make every call they find, and SDKs parse its arguments.
        """
        if self.end is not None and self.end.status is Status.CANCELLED:
            return []
        shown = (item for item in self.items if item.parts or item.kind not in _WITHOUT_PARTS_NOTHING)
        return [item.to_json() for item in shown]

    def _next_id(self, kind: str) -> str:
        return derived_id(ITEM_PREFIXES[kind], self.response_id, len(self.items))

    def _open(self, index: int) -> Item:
        if not 0 <= index < len(self.items) or not self.items[index].is_open:
            raise LogCorrupt(f"a fact about item {index}, which is not open")
        return self.items[index]

    def _part(self, index: int) -> Part:
        item = self._open(index)
        if not item.parts:
            raise LogCorrupt(f"a fact about a part of item {index}, which has none")
        return item.parts[-1]

    def _close(self) -> None:
        """Nothing stays `in_progress` in a response that has ended."""
        for item in self.items:
            if item.is_open:
                item.status = Status.INCOMPLETE


def fold(response_id: str, facts: Iterable[Fact], *, background: bool) -> Answer:
    """Return the answer that a history of facts amounts to."""
    answer = Answer(response_id, background)
    for fact in facts:
        answer.apply(fact)
    return answer
