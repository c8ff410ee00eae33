"""The unmodified OpenAI SDK reads our events: its models accept them, its accumulator agrees with us."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from meanwhile.domain.events import events
from meanwhile.domain.facts import Compacted, Dropped, Fact, ItemDone, Started
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, TextDelta, Usage
from meanwhile.domain.response import Ended, Status
from tests.unit.domain.histories import (
    BACKGROUND,
    CALL,
    EVERYTHING,
    FOREGROUND,
    NOW,
    REQUEST,
    TEXT,
    WEATHER,
    logged,
    streamed,
)

TYPED: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SPEECHES = [
    pytest.param(TEXT, id="text"),
    pytest.param(CALL, id="a call"),
    pytest.param(EVERYTHING, id="everything at once"),
    pytest.param([Finished(FinishReason.STOP)], id="nothing"),
    pytest.param([TextDelta("2 +"), Finished(FinishReason.LENGTH)], id="cut short"),
    pytest.param([TextDelta("2 +"), Finished(FinishReason.CONTENT_FILTER)], id="filtered"),
]
PLACES = pytest.mark.parametrize("background", [True, False], ids=["background", "foreground"])


def accumulated(stream: Iterable[dict[str, Any]]) -> list[Any]:
    """Return what the SDK's own `responses.stream()` hands to its user, or raise as it would."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[WEATHER], text_format=omit)  # type: ignore[list-item]  # a plain dict, as users write it
    return [
        seen
        for event in stream
        for seen in state.handle_event(construct_type(type_=ResponseStreamEvent, value=event))  # type: ignore[arg-type]  # built as the SDK builds it
    ]


def ended_early(end: Ended) -> list[dict[str, Any]]:
    """Return a stream whose end was decided elsewhere."""
    facts: list[Fact] = [*logged([TextDelta("2 +")]), end]
    return list(events(BACKGROUND, REQUEST, facts))


@PLACES
def test_the_sdk_takes_what_was_dropped_for_progress(*, background: bool) -> None:
    """An event of ours would be of a wrong class there; a second `in_progress` is one that it knows."""
    facts = logged(TEXT, background=background)
    facts.insert(int(background), Dropped(3, 40, 0, 2))
    told = list(events(BACKGROUND if background else FOREGROUND, REQUEST, facts))

    seen = accumulated(told)

    at = next(index for index, event in enumerate(told) if "dropped" in event.get("response", ()))
    assert (told[at]["type"], told[at]["sequence_number"]) == ("response.in_progress", at)
    assert told[at]["response"]["dropped"] == {"items": 3, "tokens": 40, "first": 0, "last": 2}
    assert [event["response"].get("dropped") for event in told[:at]] == [None] * at
    assert seen[-1].response.output_text == "2 + 2 equals 4."
    assert seen[-1].response.dropped == told[at]["response"]["dropped"]


@PLACES
@pytest.mark.parametrize("said", SPEECHES)
def test_every_event_is_one_of_the_sdks_typed_events(said: Sequence[ModelEvent], *, background: bool) -> None:
    """Strictly: no field missing, none null that may not be."""
    for event in streamed(said, background=background):
        typed = TYPED.validate_python(event)

        assert typed.type == event["type"]
        assert typed.sequence_number == event["sequence_number"]


@PLACES
@pytest.mark.parametrize("said", SPEECHES)
def test_every_snapshot_is_a_response_of_the_sdk(said: Sequence[ModelEvent], *, background: bool) -> None:
    """What `retrieve` returns has the same shape."""
    snapshots = [e["response"] for e in streamed(said, background=background) if "response" in e]

    for snapshot in snapshots:
        assert Response.model_validate(snapshot).to_dict() == snapshot


@PLACES
@pytest.mark.parametrize("said", SPEECHES)
def test_the_accumulator_takes_the_whole_stream(said: Sequence[ModelEvent], *, background: bool) -> None:
    """It checks ids, indexes, and that nothing comes before its item."""
    last = accumulated(streamed(said, background=background))[-1]

    assert last.type in {"response.completed", "response.incomplete"}


def test_the_accumulator_counts_the_same_text_as_we_do() -> None:
    """Its snapshots come from the deltas, ours from the fold."""
    seen = accumulated(streamed(TEXT))

    snapshots = [event.snapshot for event in seen if event.type == "response.output_text.delta"]
    assert snapshots == ["2 + 2", "2 + 2 equals 4."]
    assert seen[-1].response.output_text == "2 + 2 equals 4."


def test_the_accumulator_parses_the_arguments_of_a_call() -> None:
    """A strict tool's arguments arrive as values."""
    (call,) = accumulated(streamed(CALL))[-1].response.output

    assert call.parsed_arguments == {"city": "Paris"}


@pytest.mark.parametrize("first", [TEXT, CALL, EVERYTHING], ids=["text", "a call", "everything"])
def test_an_answer_that_was_started_over_is_still_read(first: Sequence[ModelEvent]) -> None:
    """A worker died; the reader's own process must not die of it too."""
    cut = logged(first[:-1])

    seen = accumulated(events(BACKGROUND, REQUEST, logged(TEXT, after=cut)))

    assert seen[-1].type == "response.completed"
    assert seen[-1].response.output_text == "2 + 2 equals 4."


@pytest.mark.parametrize("first", [CALL, EVERYTHING], ids=["a call", "everything"])
def test_a_call_given_up_is_not_among_the_calls_to_make(first: Sequence[ModelEvent]) -> None:
    """Agents run every call of the output, whatever its status: a cleared one would be run with nothing."""
    cut = logged(first[:-1])

    output = list(events(BACKGROUND, REQUEST, logged(CALL, after=cut)))[-1]["response"]["output"]

    calls = [item["arguments"] for item in output if item["type"] == "function_call"]
    assert calls == ['{"city":"Paris"}']


def test_a_call_made_again_under_the_same_id_is_another_call() -> None:
    """Some servers count calls from 0 in every answer; the SDK knows calls by that id alone."""
    cut = logged(CALL[:-1])

    seen = accumulated(events(BACKGROUND, REQUEST, logged(CALL, after=cut)))

    given_up, made = (event.item for event in seen if event.type == "response.output_item.done")
    assert given_up.call_id == "call_1"
    assert made.call_id not in ("", "call_1")
    assert [call.call_id for call in seen[-1].response.output] == [made.call_id]


def test_a_cancelled_stream_ends_with_an_event_the_sdk_knows() -> None:
    """There is no `response.cancelled`: an unknown type becomes a wrong class."""
    stream = ended_early(Ended(status=Status.CANCELLED, at=NOW))

    last = TYPED.validate_python(stream[-1])

    assert last.type == "response.failed"
    assert (last.response.status, last.response.output, last.response.error) == ("cancelled", [], None)
    assert last.response.incomplete_details is None
    assert accumulated(stream)[-1].response.status == "cancelled"


def test_a_failed_stream_ends_with_the_error() -> None:
    """Its code is a word of ours, which the SDK's strict list does not have and its reader takes."""
    stream = ended_early(Ended(status=Status.FAILED, at=NOW, code="provider_error", message="It broke."))

    last = accumulated(stream)[-1]

    assert last.type == "response.failed"
    assert (last.response.error.code, last.response.error.message) == ("provider_error", "It broke.")
    assert last.response.completed_at is None
    assert [item.status for item in last.response.output] == ["incomplete"]


def test_an_incomplete_stream_says_why() -> None:
    """The caller may ask for more tokens."""
    last = accumulated(streamed([TextDelta("2 +"), Finished(FinishReason.LENGTH)]))[-1]

    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert last.response.completed_at is None


@PLACES
def test_a_compaction_comes_before_the_answer_that_was_given_behind_it(*, background: bool) -> None:
    """A typed item of the SDK's own, in the stream and in the whole; what it cost is in the usage."""
    made: list[Fact] = [Compacted("c2VhbGVk", Usage(input_tokens=100, output_tokens=10)), ItemDone(0)]
    head = BACKGROUND if background else FOREGROUND
    before = [Started(), *made] if background else made

    told = list(events(head, REQUEST, logged(TEXT, background=background, after=before)))

    for event in told:
        TYPED.validate_python(event, strict=True)
    whole = accumulated(told)[-1].response
    item, message = whole.output
    assert (item.type, item.encrypted_content, item.id[:4]) == ("compaction", "c2VhbGVk", "cmp_")
    assert [event["type"] for event in told if event.get("output_index") == 0] == [
        "response.output_item.added",
        "response.output_item.done",
    ]
    assert message.content[0].text == "2 + 2 equals 4."
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (115, 19)
