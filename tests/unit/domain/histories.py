"""Histories to look at: what a log holds after a model has said this or that."""

from collections.abc import Sequence
from typing import Any

from meanwhile.domain.answer import Answer
from meanwhile.domain.continuation import given_up
from meanwhile.domain.events import events
from meanwhile.domain.facts import Fact, Started
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.domain.transcript import Transcript

NOW = 1_771_881_597
ID = "resp_0850765c843cca5300699cc47d93c0819089a181f5feeff8eb"
BACKGROUND = Head(id=ID, owner="ada", created_at=NOW, background=True, store=True, expires_at=NOW + 1000)
FOREGROUND = Head(id=ID, owner="ada", created_at=NOW, background=False, store=True, expires_at=NOW + 1000)
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get current weather for a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
REQUEST = Request(model="simulator", input=[], background=True, tools=[WEATHER])
USAGE = Usage(input_tokens=15, output_tokens=9, cached_tokens=4, reasoning_tokens=2)

STOP = Finished(FinishReason.STOP, USAGE)
TEXT: Sequence[ModelEvent] = [TextDelta("2 + 2"), TextDelta(" equals 4."), STOP]
CALL: Sequence[ModelEvent] = [
    ToolCallStarted(0, "call_1", "get_weather"),
    ToolCallDelta(0, '{"city":'),
    ToolCallDelta(0, '"Paris"}'),
    STOP,
]
EVERYTHING: Sequence[ModelEvent] = [
    ReasoningDelta("Let me "),
    ReasoningDelta("see."),
    TextDelta("I will look, "),
    ToolCallStarted(0, "", "get_weather"),
    ToolCallStarted(1, "call_2", "get_weather"),
    ToolCallDelta(1, "{}"),
    TextDelta("twice. "),
    ToolCallDelta(0, '{"city":"Rome"}'),
    RefusalDelta("Or not."),
    Finished(FinishReason.STOP, USAGE),
]


def logged(said: Sequence[ModelEvent], *, background: bool = True, after: Sequence[Fact] = ()) -> list[Fact]:
    """Return the facts of one model call, behind those of an earlier one that was cut off."""
    answer = Answer(ID, background)
    facts: list[Fact] = list(after)
    if background and not facts:
        facts.append(Started())
    for fact in facts:
        answer.apply(fact)
    if after:
        for fact in given_up(answer):
            answer.apply(fact)
            facts.append(fact)
    transcript = Transcript(answer)
    for event in said:
        facts += transcript.add(event, at=NOW + 3)
    return facts


def streamed(said: Sequence[ModelEvent], *, background: bool = True) -> list[dict[str, Any]]:
    """Return the wire events of one model call."""
    head = BACKGROUND if background else FOREGROUND
    return list(events(head, REQUEST, logged(said, background=background)))
