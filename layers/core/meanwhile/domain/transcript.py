"""From what a model says to the facts that are logged: opens and closes items in the API's order.

Messages and function calls of one model call stay open until the provider's own end, and close together.
So whatever a crash leaves behind is open, can be gone on with or given up as a whole, and no text that a
reader has been told is final is ever written again by the next try. Reasoning closes as soon as something
else begins.
"""

from itertools import takewhile

from meanwhile.domain.answer import Answer, Item
from meanwhile.domain.facts import (
    ARGUMENTS,
    FUNCTION_CALL,
    MESSAGE,
    OUTPUT_TEXT,
    REASONING,
    REASONING_TEXT,
    REFUSAL,
    Delta,
    Fact,
    GivenUp,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    TextDone,
)
from meanwhile.domain.ids import call_id
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    together,
)
from meanwhile.domain.response import Ended, Status


class Transcript:
    """Turns the events of one model call into facts, and keeps the answer they amount to.

    With `message`, the index of an open one, the call goes on with what an earlier call has left: text goes
    behind what is there, and white space that both calls have said is not written twice.
    """

    def __init__(self, answer: Answer, message: int | None = None) -> None:
        self.answer = answer
        self._resumed = self._message = message
        self._repeats = _white_end(answer.items[message]) if message is not None else ""
        """What the call may say again before it says anything new."""
        self._reasoning: int | None = None
        self._calls: dict[int, int] = {}

    def add(self, event: ModelEvent, *, at: int) -> list[Fact]:
        """Return the facts of one event; `at` is only used for the end."""
        before = _Facts(self.answer)
        match event:
            case TextDelta(text):
                new = self._without_repeats(text)
                if new or not text:
                    self._write(before, OUTPUT_TEXT, new)
            case RefusalDelta(text):
                self._write(before, REFUSAL, text)
            case ReasoningDelta(text):
                self._reason(before, text)
            case ToolCallStarted(index, given, name):
                self._close_reasoning(before)
                self._calls[index] = len(self.answer.items)
                before.add(ItemAdded(FUNCTION_CALL, self._own_call_id(given), name))
            case ToolCallDelta(index, arguments):
                before.add(Delta(self._calls[index], arguments))
            case Finished():
                self._finish(before, event, at)
        return before.facts

    def _own_call_id(self, given: str) -> str:
        """Return an id that no other call of the answer has: SDKs know calls by nothing else.

        Some servers count from 0 in every answer, so a second try would repeat those of one given up.
        """
        items = self.answer.items
        if given and all(item.call_id != given for item in items):
            return given
        return call_id(self.answer.response_id, len(items))

    def _without_repeats(self, text: str) -> str:
        pairs = zip(text, self._repeats, strict=False)
        known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._repeats = self._repeats[known:] if known == len(text) else ""
        return text[known:]

    def _write(self, out: "_Facts", kind: str, text: str) -> None:
        self._close_reasoning(out)
        if self._message is None:
            self._message = len(self.answer.items)
            out.add(ItemAdded(MESSAGE))
        parts = self.answer.items[self._message].parts
        if parts and parts[-1].kind != kind:
            out.add(TextDone(self._message))
            out.add(PartDone(self._message))
        if not parts or parts[-1].kind != kind:
            out.add(PartAdded(self._message, kind))
        out.add(Delta(self._message, text))

    def _reason(self, out: "_Facts", text: str) -> None:
        if self._reasoning is None:
            self._reasoning = len(self.answer.items)
            out.add(ItemAdded(REASONING))
            out.add(PartAdded(self._reasoning, REASONING_TEXT))
        out.add(Delta(self._reasoning, text))

    def _close_reasoning(self, out: "_Facts", status: Status = Status.COMPLETED) -> None:
        if self._reasoning is not None:
            self._close(out, self._reasoning, status)
            self._reasoning = None

    def _finish(self, out: "_Facts", event: Finished, at: int) -> None:
        whole = event.reason is FinishReason.STOP
        status = Status.COMPLETED if whole else Status.INCOMPLETE
        for index, item in enumerate(self.answer.items):
            if item.is_open and index == self._resumed and not any(part.text for part in item.parts):
                out.add(GivenUp(index))  # it was kept for text, and this call had none
            elif item.is_open:
                self._close(out, index, status)
        reason = None if whole else event.reason.value
        usage = together(self.answer.spent, event.usage)
        out.add(Ended(status=status, at=at, reason=reason, usage=usage))

    def _close(self, out: "_Facts", index: int, status: Status) -> None:
        parts = self.answer.items[index].parts
        if parts:
            out.add(TextDone(index))
        if parts and parts[-1].kind != ARGUMENTS:
            out.add(PartDone(index))
        out.add(ItemDone(index, status))


class _Facts:
    """Collects facts and applies each at once, so that later ones see what earlier ones did."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.facts: list[Fact] = []

    def add(self, fact: Fact) -> None:
        self._answer.apply(fact)
        self.facts.append(fact)


def _white_end(message: Item) -> str:
    text = message.parts[-1].text if message.parts else ""
    return text[len(text.rstrip()) :]
