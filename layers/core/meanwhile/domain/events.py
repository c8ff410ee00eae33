"""The wire events that a history stands for, as streams carry them: live and in a replay the same.

Shapes and orders are those of recorded traffic and of the Open Responses specification.
"""

from collections.abc import Iterable, Iterator

from meanwhile.domain.answer import Answer, Item
from meanwhile.domain.facts import (
    FIRST_FACT_SEQ,
    FUNCTION_CALL,
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
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.wire import of_answer

_TEXT_EVENT = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
    "arguments": "response.function_call_arguments",
}


class Events:
    """Tells a history: a fact in, its wire event out. Snapshots in events show the state at that moment."""

    def __init__(self, head: Head, request: Request) -> None:
        self._head = head
        self._request = request
        self.answer = Answer(head.id, head.background)
        self.next_seq = FIRST_FACT_SEQ
        """The sequence number of the next fact's event."""

    def opening(self) -> Iterator[Json]:
        """Yield events 0 and 1: they follow from the head, so a stream has them before any worker wakes."""
        second = "response.queued" if self._head.background else "response.in_progress"
        for seq, name in enumerate(("response.created", second)):
            yield {"type": name, "sequence_number": seq, "response": self._snapshot()}

    def skip(self, fact: Fact) -> None:
        """Take a fact into account whose event nobody wants.

        Raises:
            LogCorrupt: It cannot follow those before it.
        """
        self.answer.apply(fact)
        self.next_seq += 1

    def tell(self, fact: Fact) -> Json:
        """Return the event of the next fact.

        Raises:
            LogCorrupt: As above.
        """
        seq = self.next_seq
        self.skip(fact)
        said = self._event(fact)
        return {"type": said.pop("type"), "sequence_number": seq} | said

    def _snapshot(self) -> Json:
        return of_answer(self._head, self._request, self.answer)

    def _event(self, fact: Fact) -> Json:
        items = self.answer.items
        match fact:
            case Started() | Dropped():
                return {"type": "response.in_progress", "response": self._snapshot()}
            case Ended(status=status):
                # There is no `response.cancelled` event: SDKs turn unknown types into a wrong class.
                name = "failed" if status is Status.CANCELLED else status.value
                return {"type": f"response.{name}", "response": self._snapshot()}
            case ItemAdded() | Compacted():
                index = len(items) - 1
                return _of_item("response.output_item.added", index, items[index])
            case ItemDone(index) | GivenUp(index):
                return _of_item("response.output_item.done", index, items[index])
            case PartAdded(index) | PartDone(index):
                name = "added" if isinstance(fact, PartAdded) else "done"
                item = items[index]
                return {"type": f"response.content_part.{name}", "part": item.parts[-1].to_json()} | _place(
                    index, item
                )
            case Delta(index, text):
                item = items[index]
                kind = item.parts[-1].kind
                logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
                return {"type": f"{_TEXT_EVENT[kind]}.delta", "delta": text} | logprobs | _place(index, item)
            case TextDone(index):
                return _text_done(index, items[index])


def events(head: Head, request: Request, facts: Iterable[Fact]) -> Iterator[Json]:
    """Yield every wire event of a history, from sequence number 0."""
    history = Events(head, request)
    yield from history.opening()
    yield from map(history.tell, facts)


def _of_item(name: str, index: int, item: Item) -> Json:
    return {"type": name, "output_index": index, "item": item.to_json()}


def _text_done(index: int, item: Item) -> Json:
    part = item.parts[-1]
    place = {"type": f"{_TEXT_EVENT[part.kind]}.done"} | _place(index, item)
    if item.kind == FUNCTION_CALL:
        return place | {"name": item.name, "arguments": part.text}
    if part.kind == REFUSAL:
        return place | {"refusal": part.text}
    return place | {"text": part.text} | ({} if item.kind == REASONING else {"logprobs": []})


def _place(index: int, item: Item) -> Json:
    place: Json = {"item_id": item.id, "output_index": index}
    return place if item.kind == FUNCTION_CALL else place | {"content_index": len(item.parts) - 1}
