"""From what a model says to items and parts, in the API's order: one scene after the other."""

from collections.abc import Sequence
from typing import Any

import pytest

from meanwhile.domain.answer import fold
from meanwhile.domain.continuation import given_up
from meanwhile.domain.facts import (
    Delta,
    Fact,
    GivenUp,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    Started,
    TextDone,
)
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
from meanwhile.domain.response import Ended, Status
from tests.unit.domain.histories import CALL, ID, NOW, STOP, TEXT, USAGE, logged

COMPLETED = Ended(status=Status.COMPLETED, at=NOW + 3, usage=USAGE)


def output(said: Sequence[ModelEvent]) -> list[dict[str, Any]]:
    """Return the output items of one model call."""
    return fold(ID, logged(said), background=True).output()


def test_text_is_one_message_with_one_part() -> None:
    """The order is that of recorded traffic."""
    assert logged(TEXT) == [
        Started(),
        ItemAdded("message"),
        PartAdded(0, "output_text"),
        Delta(0, "2 + 2"),
        Delta(0, " equals 4."),
        TextDone(0),
        PartDone(0),
        ItemDone(0),
        COMPLETED,
    ]


def test_a_function_call_has_no_parts() -> None:
    """Its arguments belong to the item itself."""
    assert logged(CALL)[1:] == [
        ItemAdded("function_call", "call_1", "get_weather"),
        Delta(0, '{"city":'),
        Delta(0, '"Paris"}'),
        TextDone(0),
        ItemDone(0),
        COMPLETED,
    ]


def test_a_refusal_after_text_is_a_second_part_of_the_same_message() -> None:
    """One message, one id; the first part is closed before the second opens."""
    facts = logged([TextDelta("Well, "), RefusalDelta("no."), STOP])

    assert facts[3:8] == [
        Delta(0, "Well, "),
        TextDone(0),
        PartDone(0),
        PartAdded(0, "refusal"),
        Delta(0, "no."),
    ]
    assert fold(ID, facts, background=True).output()[0]["content"] == [
        {"type": "output_text", "text": "Well, ", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "no."},
    ]


@pytest.mark.parametrize(
    "then",
    [
        pytest.param([TextDelta("4")], id="text"),
        pytest.param([RefusalDelta("no")], id="a refusal"),
        pytest.param([ToolCallStarted(0, "c", "f")], id="a call"),
        pytest.param([STOP], id="the end"),
    ],
)
def test_reasoning_closes_when_something_else_begins(then: list[ModelEvent]) -> None:
    """A client shows "thinking" until the item is done."""
    facts = logged([ReasoningDelta("hm"), *then])

    assert facts[4:7] == [TextDone(0), PartDone(0), ItemDone(0)]


def test_reasoning_again_is_another_item() -> None:
    """Models think, call, and think on; what is closed stays closed."""
    said: list[ModelEvent] = [ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c"), TextDelta("d"), STOP]

    assert [(item["type"], item["content"][0]["text"]) for item in output(said)] == [
        ("reasoning", "a"),
        ("message", "bd"),
        ("reasoning", "c"),
    ]


def test_parallel_calls_may_speak_in_turns() -> None:
    """Providers tell them apart by index alone."""
    said: list[ModelEvent] = [
        ToolCallStarted(0, "a", "f"),
        ToolCallStarted(1, "b", "g"),
        ToolCallDelta(1, "[1"),
        ToolCallDelta(0, "[0"),
        ToolCallDelta(1, ",1]"),
        TextDelta("meanwhile"),
        ToolCallDelta(0, "]"),
        STOP,
    ]

    calls = [(i["call_id"], i["name"], i["arguments"]) for i in output(said) if i["type"] == "function_call"]

    assert calls == [("a", "f", "[0]"), ("b", "g", "[1,1]")]


def test_calls_without_an_id_are_given_one_each() -> None:
    """The client answers by `call_id`; some providers send none."""
    said: list[ModelEvent] = [ToolCallStarted(0, "", "f"), ToolCallStarted(1, "", "f"), STOP]

    first, second = output(said)

    assert first["call_id"].startswith("call_")
    assert first["call_id"] != second["call_id"]


def test_nothing_is_closed_before_the_models_own_end() -> None:
    """What a crash leaves behind must be open, so that it can be given up whole."""
    said: list[ModelEvent] = [
        TextDelta("a"),
        ToolCallStarted(0, "c", "f"),
        ToolCallDelta(0, "{}"),
        TextDelta("b"),
    ]

    facts = logged(said)

    assert not [fact for fact in facts if isinstance(fact, ItemDone)]
    assert given_up(fold(ID, facts, background=True)) == (GivenUp(0), GivenUp(1))


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.CONTENT_FILTER])
def test_a_model_that_was_stopped_leaves_an_incomplete_answer(reason: FinishReason) -> None:
    """Half an answer must never pass for a whole one."""
    usage = Usage(input_tokens=1, output_tokens=2)

    facts = logged([TextDelta("2 +"), ToolCallStarted(0, "c", "f"), Finished(reason, usage)])

    assert facts[-1] == Ended(status=Status.INCOMPLETE, at=NOW + 3, reason=reason.value, usage=usage)
    items = fold(ID, facts, background=True).output()
    assert [item["status"] for item in items] == ["incomplete", "incomplete"]
    assert items[0]["content"][0]["text"] == "2 +"


def test_reasoning_that_was_cut_off_is_incomplete_too() -> None:
    """The whole budget can go into thinking."""
    (item,) = output([ReasoningDelta("hm"), Finished(FinishReason.LENGTH)])

    assert item["status"] == "incomplete"


def test_an_empty_answer_is_an_answer_when_the_model_ends_it() -> None:
    """`completed` needs the provider's own end, and nothing but that."""
    assert logged([STOP]) == [Started(), COMPLETED]


def test_giving_up_takes_what_is_open_and_applies_nothing() -> None:
    """The facts go to the log first; only then are they part of the answer."""
    answer = fold(ID, logged([ReasoningDelta("hm"), TextDelta("half")]), background=True)

    facts = given_up(answer)

    assert facts == (GivenUp(1),)
    assert [item.is_open for item in answer.items] == [False, True]


def test_a_second_try_begins_a_new_message() -> None:
    """The item given up keeps its place and its id, so ids never change under a reader."""
    first: list[Fact] = logged([TextDelta("half an ans")])

    items = fold(ID, logged(TEXT, after=first), background=True).output()

    assert [(item["status"], item["content"]) for item in items[:1]] == [("incomplete", [])]
    assert items[1]["content"][0]["text"] == "2 + 2 equals 4."
