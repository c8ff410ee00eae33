"""Whatever a model says, in whatever order: the log is valid, and holds exactly what was said."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.answer import fold
from meanwhile.domain.events import events
from meanwhile.domain.facts import coalesced
from meanwhile.domain.log import Batch, Tip, facts_of, tip_of
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from meanwhile.domain.response import Ended, Record
from meanwhile.domain.wire import of_answer, of_record, result_of
from meanwhile.operations.running import commit
from tests.unit.domain.histories import BACKGROUND, ID, REQUEST, logged

WORDS = st.text(max_size=4)
SPOKEN: dict[str, Callable[[str], ModelEvent]] = {"r": ReasoningDelta, "x": RefusalDelta}
RECORD = Record(head=BACKGROUND, request=REQUEST)


@st.composite
def speeches(draw: st.DrawFn) -> list[ModelEvent]:
    """Draw what a model may say, to its end: deltas of calls only after the call has begun."""
    said: list[ModelEvent] = []
    calls = 0
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from("trxcdd"))
        if kind == "c":
            said.append(ToolCallStarted(calls, draw(st.sampled_from(["", f"call_{calls}"])), "f"))
            calls += 1
        elif kind == "d" and calls:
            said.append(ToolCallDelta(draw(st.integers(0, calls - 1)), draw(WORDS)))
        else:
            said.append(SPOKEN.get(kind, TextDelta)(draw(WORDS)))
    return [*said, Finished(draw(st.sampled_from(FinishReason)))]


def words(said: Sequence[ModelEvent]) -> dict[str, str]:
    """Return what was said, by kind and by call."""
    spoken: dict[str, str] = defaultdict(str)
    for event in said:
        match event:
            case TextDelta(text):
                spoken["output_text"] += text
            case RefusalDelta(text):
                spoken["refusal"] += text
            case ReasoningDelta(text):
                spoken["reasoning_text"] += text
            case ToolCallStarted(index):
                spoken[f"call {index}"] += ""
            case ToolCallDelta(index, text):
                spoken[f"call {index}"] += text
    return {kind: text for kind, text in spoken.items() if text or kind.startswith("call")}


def written(items: list[dict[str, Any]]) -> dict[str, str]:
    """Return the same of output items."""
    found: dict[str, str] = defaultdict(str)
    calls = 0
    for item in items:
        if item["type"] == "function_call":
            found[f"call {calls}"] = item["arguments"]
            calls += 1
        for part in item.get("content", ()):
            found[part["type"]] += part.get("text", "") + part.get("refusal", "")
    return {kind: text for kind, text in found.items() if text or kind.startswith("call")}


@given(said=speeches(), background=st.booleans())
def test_the_answer_holds_exactly_what_was_said(said: list[ModelEvent], *, background: bool) -> None:
    """No word lost, none twice, none in another item."""
    answer = fold(ID, logged(said, background=background), background=background)

    assert written(answer.output()) == words(said)
    assert answer.end is not None
    assert not [item for item in answer.items if item.is_open]


@given(speeches())
def test_a_snapshot_is_what_the_deltas_before_it_add_up_to(said: list[ModelEvent]) -> None:
    """Clients keep either; the two must not disagree."""
    texts: dict[tuple[str, int], str] = defaultdict(str)
    for event in events(BACKGROUND, REQUEST, logged(said)):
        place = (event.get("item_id", ""), event.get("content_index", 0))
        if event["type"].endswith(".delta"):
            texts[place] += event["delta"]
        elif event["type"].rpartition(".")[0] in {"response.output_text", "response.reasoning_text"}:
            assert event["text"] == texts[place]
        elif event["type"] == "response.refusal.done":
            assert event["refusal"] == texts[place]
        elif event["type"] == "response.function_call_arguments.done":
            assert event["arguments"] == texts[place]


@given(speeches())
def test_events_are_numbered_without_gap_and_content_comes_inside_its_item(said: list[ModelEvent]) -> None:
    """The SDK fails on anything else."""
    opened: dict[int, str] = {}
    for seq, event in enumerate(events(BACKGROUND, REQUEST, logged(said))):
        assert event["sequence_number"] == seq
        if event["type"] == "response.output_item.added":
            assert event["output_index"] not in opened
            opened[event["output_index"]] = event["item"]["id"]
        elif event["type"] == "response.output_item.done":
            assert opened.pop(event["output_index"]) == event["item"]["id"]
        elif "item_id" in event:
            assert opened[event["output_index"]] == event["item_id"]
    assert opened == {}


@given(speeches())
def test_the_stored_result_shows_what_the_log_shows(said: list[ModelEvent]) -> None:
    """A reader must not see the answer change when the head follows the log."""
    answer = fold(ID, logged(said), background=True)
    assert answer.end is not None
    stored = result_of(answer, answer.end)

    assert of_record(RECORD, stored) == of_answer(BACKGROUND, REQUEST, answer)


@given(speeches(), speeches(), st.data())
def test_a_call_cut_off_anywhere_and_asked_again_leaves_the_second_answer(
    first: list[ModelEvent], second: list[ModelEvent], data: st.DataObject
) -> None:
    """A crash may come behind any fact written before the model's end.

    Reasoning that was already closed stays to be read; the answer itself is the second try's alone.
    """
    facts = logged(first[:-1])
    cut = facts[: data.draw(st.integers(1, len(facts)))]

    answer = fold(ID, logged(second, after=cut), background=True)

    before = len(fold(ID, logged([], after=cut), background=True).output())
    assert written(answer.output()[before:]) == words(second)
    left = written(answer.output()[:before])
    assert {kind for kind, text in left.items() if text} <= {"reasoning_text"}


@given(speeches(), st.integers(10, 60), st.data())
def test_a_crash_between_two_batches_never_leaves_a_final_item_without_its_end(
    said: list[ModelEvent], size: int, data: st.DataObject
) -> None:
    """A message that readers were told is final would stand beside the next try's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "MAX_BATCH_CHARS", size)
        batches = list(commit.in_batches(coalesced(logged(said))))

    before_end = [fact for batch in batches[: data.draw(st.integers(0, len(batches) - 1))] for fact in batch]

    answer = fold(ID, before_end, background=True)
    final = [item for item in answer.items if not item.is_open and item.kind != "reasoning"]
    assert final == []


@given(speeches(), st.lists(st.integers(1, 5), max_size=30))
def test_however_facts_are_grouped_the_log_is_valid_and_says_the_same(
    said: list[ModelEvent], sizes: list[int]
) -> None:
    """Group commit decides by the clock which facts share a write; readers must not notice."""
    facts = logged(said)
    tip, batches, left = Tip(), list[Batch](), list(facts)
    for size in [*sizes, len(facts)]:
        if not left:
            break
        group, left = coalesced(left[:size]), left[size:]
        batches.append(tip.next(*group, epoch=1, nonce="n"))
        tip = tip.after(batches[-1])

    answer = fold(ID, facts_of(batches), background=True)

    assert tip_of(batches) == tip
    assert isinstance(tip.end, Ended)
    assert answer.output() == fold(ID, facts, background=True).output()
