"""Our events and objects have the shape of recorded traffic: order, keys, and what is null."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from meanwhile.domain.model_events import ModelEvent
from tests.unit.domain import recorded
from tests.unit.domain.histories import CALL, TEXT, streamed

RECORDINGS = Path(__file__).parents[4] / "shared" / "recorded"
"""Beside the checkout, where there is one; the facts in `recorded.py` came from there."""


def stream_at_hand() -> list[dict[str, Any]]:
    """Return the recorded stream, or skip."""
    (answer, *_) = answers_at_hand("test_background_mode_streaming_vcr.yaml")
    lines = [line.removeprefix("data: ") for line in answer.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


def answers_at_hand(name: str) -> list[Any]:
    """Return the bodies of a recording, or skip."""
    if not (RECORDINGS / name).exists():
        pytest.skip("no recordings beside this checkout")
    found = yaml.safe_load((RECORDINGS / name).read_text())
    answers = [each["response"] for each in found["interactions"]]
    return [each["parsed_body"] if "parsed_body" in each else each["body"]["string"] for each in answers]


def of_ours(said: Sequence[ModelEvent]) -> list[dict[str, Any]]:
    """Return the snapshots of a stream of ours."""
    return [event["response"] for event in streamed(said) if "response" in event]


def of_recorded_stream() -> list[dict[str, Any]]:
    """Return the snapshots of the recorded stream, or skip."""
    return [event["response"] for event in stream_at_hand() if "response" in event]


STREAMS = [pytest.param(lambda: streamed(TEXT), id="ours"), pytest.param(stream_at_hand, id="recorded")]
TEXTS = [
    pytest.param(lambda: of_ours(TEXT), id="our text"),
    pytest.param(of_recorded_stream, id="recorded text"),
]
CALLS = [
    pytest.param(lambda: of_ours(CALL), id="our call"),
    pytest.param(lambda: answers_at_hand("test_background_mode_with_tool_vcr.yaml"), id="recorded call"),
]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_text_answer_streams_these_events_with_these_keys(stream: Any) -> None:
    """An unmodified client reads ours as it reads the API's."""
    events = stream()

    shapes: list[tuple[str, set[str]]] = []
    for event in events:
        shape = (event["type"], set(event) - {"type", "sequence_number"})
        if not (event["type"].endswith(".delta") and shape in shapes):
            shapes.append(shape)
    assert shapes == recorded.TEXT_STREAM
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.parametrize("stream", STREAMS)
def test_a_text_answers_items_and_parts_have_these_keys(stream: Any) -> None:
    """Added and done alike: a client that reads one reads the other."""
    for event in stream():
        if "item" in event:
            assert set(event["item"]) == recorded.MESSAGE_KEYS
        if "part" in event:
            assert set(event["part"]) == recorded.PART_KEYS
        if "logprobs" in event:
            assert event["logprobs"] == []


@pytest.mark.parametrize("stream", STREAMS)
def test_a_text_answer_grows_in_these_steps(stream: Any) -> None:
    """What is empty at first, and whole at the end."""
    first: dict[str, dict[str, Any]] = {}
    for event in stream():
        first.setdefault(event["type"], event)

    added, done = first["response.output_item.added"], first["response.output_item.done"]
    assert (added["item"]["status"], added["item"]["content"]) == ("in_progress", [])
    assert first["response.content_part.added"]["part"]["text"] == ""
    assert first["response.output_text.done"]["text"] == "2 + 2 equals 4."
    assert first["response.content_part.done"]["part"]["text"] == "2 + 2 equals 4."
    assert done["item"]["status"] == "completed"
    assert first["response.completed"]["response"]["output"] == [done["item"]]
    for name, status in (("created", "queued"), ("queued", "queued"), ("in_progress", "in_progress")):
        assert first[f"response.{name}"]["response"]["status"] == status


@pytest.mark.parametrize("found", [*TEXTS, *CALLS])
def test_the_response_object_has_these_keys_and_these_are_never_null(found: Any) -> None:
    """Typed clients fail on a null where a number should be."""
    for response in found():
        recorded.check_response(response)


@pytest.mark.parametrize("found", CALLS)
def test_a_function_call_has_these_keys(found: Any) -> None:
    """The client runs the function from them, and answers by `call_id`."""
    calls = [item for each in found() for item in each["output"] if item["type"] == "function_call"]

    (call,) = calls
    assert set(call) == recorded.CALL_KEYS
    assert json.loads(call["arguments"]) == {"city": "Paris"}
    assert call["status"] == "completed"
