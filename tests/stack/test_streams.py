"""Streams through the whole service, read by the SDK as it comes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.fake_provider import Answer, Silence, calls, end, text
from tests.stack.conftest import STREAMS_PER_RESPONSE
from tests.stack.talking import ask, ended, simulated
from tests.stack.upstream import Upstream
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("stack")

LAKE = "Write 60 words about a lake."


def opened(sdk: OpenAI, question: str = LAKE, **more: Any) -> Any:
    """Create a streamed response."""
    chosen: dict[str, Any] = {"model": "simulator", "background": True} | more
    return sdk.responses.create(input=question, stream=True, **chosen)


def resumed(sdk: OpenAI, response_id: str, after: int) -> list[Any]:
    """Read the rest of a response's events."""
    return list(sdk.responses.retrieve(response_id, stream=True, starting_after=after))


def watching(stack: LocalStack, response_id: str) -> int:
    """Return how many streams of a response are counted."""
    pages = (
        stack.boto("dynamodb").get_paginator("scan").paginate(TableName=stack.physical_id("ResponsesTable"))
    )
    items = [item for page in pages for item in page["Items"] if item.get("made") == {"S": response_id}]
    return sum(item["part"]["S"].startswith("watch#") for item in items)


def text_of(events: list[Any]) -> str:
    """Return what a client that joins deltas has."""
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def test_a_dropped_stream_is_resumed_without_a_gap(sdk: OpenAI) -> None:
    """The promise of all this: leave after a few events, come back with the last number, lose nothing."""
    stream = opened(sdk)
    seen = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()

    rest = resumed(sdk, seen[0].response.id, seen[-1].sequence_number)

    whole = [*seen, *rest]
    assert [event.sequence_number for event in whole] == [*range(len(whole))]
    assert whole[-1].type == "response.completed"
    assert text_of(whole) == simulated(LAKE) == whole[-1].response.output_text


def test_the_sdks_helper_picks_up_a_response_by_its_id(sdk: OpenAI) -> None:
    """It replays from event 0, live or ended, and checks every id and index on the way."""
    made = ask(sdk, LAKE, model="simulator")

    for _ in range(2):
        with sdk.responses.stream(response_id=made.id) as stream:
            told = list(stream)
            final = stream.get_final_response()

        assert final.output_text == simulated(LAKE)
        assert (told[0].type, told[-1].type) == ("response.created", "response.completed")


def test_the_sdks_helper_streams_what_it_creates(sdk: OpenAI) -> None:
    """With text parsed by a schema as it grows; in the foreground, as most use it."""
    with sdk.responses.stream(model="simulator-fast", input=LAKE) as stream:
        deltas = [event for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert deltas[-1].snapshot == final.output_text == simulated(LAKE)


def test_the_raw_stream_has_whole_frames_and_an_id(sdk: OpenAI) -> None:
    """`with_streaming_response` shows what is on the wire."""
    with sdk.responses.with_streaming_response.create(
        model="simulator-fast", input=LAKE, background=True, stream=True
    ) as raw:
        lines = [line for line in raw.iter_lines() if line]

    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert raw.request_id
    assert lines[0] == "event: response.created"
    assert lines[-1] == "data: [DONE]"


def test_a_foreground_stream_begins_in_progress(sdk: OpenAI) -> None:
    """It was never queued, as far as its caller can tell; it can be resumed all the same."""
    told = list(opened(sdk, background=False))

    assert [event.type for event in told[:2]] == ["response.created", "response.in_progress"]
    assert told[0].response.status == "in_progress"
    assert text_of(told) == simulated(LAKE)
    assert [e.to_dict() for e in resumed(sdk, told[0].response.id, 3)] == [e.to_dict() for e in told[4:]]


def test_two_readers_see_the_same(stack: LocalStack, sdk: OpenAI) -> None:
    """Byte for byte, whenever each came; comments show only that somebody waits."""

    def bytes_of(response_id: str) -> bytes:
        headers = {"authorization": "Bearer sk-local"}
        got = httpx.get(
            f"{stack.url}/responses/{response_id}?stream=true", headers=headers, timeout=20, trust_env=False
        )
        return got.content.replace(b": keep-alive\n\n", b"")

    made = ask(sdk, LAKE, model="simulator")
    with ThreadPoolExecutor() as readers:
        first, second = readers.map(bytes_of, [made.id, made.id])

    assert first == second == bytes_of(made.id)
    assert b"response.completed" in first


def test_cancelling_ends_a_stream_as_failed_with_the_status_cancelled(sdk: OpenAI) -> None:
    """There is no event type for it; whoever reads along learns it at once."""
    told: list[Any] = []
    for event in opened(sdk, "Write 200 words.", model="simulator-slow"):
        told.append(event)
        if event.type == "response.output_text.delta":
            sdk.responses.cancel(told[0].response.id)

    assert (told[-1].type, told[-1].response.status) == ("response.failed", "cancelled")
    assert told[-1].response.output == []


def test_leaving_a_stream_cancels_nothing(sdk: OpenAI, upstream: Upstream) -> None:
    """Also in the foreground: only a cancel cancels."""
    silence = Silence()
    stream = opened(
        sdk, model=upstream.model([*text("Once "), silence, *text("more."), *end()]), background=False
    )
    response_id = next(iter(stream)).response.id
    stream.close()
    silence.until.set()

    assert ended(sdk, response_id).output_text == "Once more."


def test_a_call_streams_its_arguments(sdk: OpenAI, upstream: Upstream) -> None:
    """Agents show what is about to be called."""
    model = upstream.model([*calls("look", '{"city":"Rome"}'), *end("tool_calls")])
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}

    told = list(opened(sdk, model=model, tools=[tool]))

    arguments = [e.delta for e in told if e.type == "response.function_call_arguments.delta"]
    (done,) = (e for e in told if e.type == "response.function_call_arguments.done")
    assert "".join(arguments) == done.arguments == '{"city":"Rome"}'
    assert told[-1].response.output[0].arguments == done.arguments


def test_a_failure_ends_the_stream_as_failed(sdk: OpenAI, upstream: Upstream) -> None:
    """After creation there are no other errors: the response says what happened."""
    told = list(opened(sdk, model=upstream.model([Answer(400)])))

    assert told[-1].type == "response.failed"
    assert told[-1].response.error is not None


def test_a_silent_model_keeps_its_reader_company(stack: LocalStack, upstream: Upstream) -> None:
    """Signs of life while nothing happens, so that nothing on the way takes the stream for dead."""
    silence = Silence()
    model = upstream.model([*text("Once "), silence, *end()])
    body = {"model": model, "input": "Speak.", "background": True, "stream": True}
    headers = {"authorization": "Bearer sk-local"}
    heard = threading.Event()
    with httpx.stream(
        "POST", f"{stack.url}/responses", json=body, headers=headers, timeout=20, trust_env=False
    ) as got:
        for line in got.iter_lines():
            if line == ": keep-alive" and silence.reached.is_set():
                heard.set()
                silence.until.set()

    assert heard.is_set()


def test_text_comes_long_before_the_end(sdk: OpenAI, upstream: Upstream) -> None:
    """Nothing between the model and the reader gathers it."""
    silence = Silence()
    model = upstream.model([*text("Once "), silence, *text("more."), *end()])

    seen_before_the_end = False
    for event in opened(sdk, model=model):
        if event.type == "response.output_text.delta" and not silence.until.is_set():
            seen_before_the_end = event.delta == "Once "
            silence.until.set()

    assert seen_before_the_end


def test_newer_readers_displace_the_oldest_which_can_resume(stack: LocalStack, sdk: OpenAI) -> None:
    """A client that left holds its execution until it is wanted; one that is there is told where it was."""
    oldest = opened(sdk, "Write 80 words.", model="simulator-slow")
    told = [next(oldest)]
    response_id = told[0].response.id
    newer = []
    for already in range(1, STREAMS_PER_RESPONSE + 1):
        # Of those that begin at one moment, one more may find room, and one may be counted before the oldest.
        eventually(lambda: watching(stack, response_id) == already)  # noqa: B023  # called before the next turn
        newer.append(sdk.responses.retrieve(response_id, stream=True))

    with pytest.raises(openai.APIError, match="Newer streams") as displaced:
        told.extend(oldest)
    rest = resumed(sdk, response_id, told[-1].sequence_number)

    assert displaced.value.code == "stream_displaced"
    assert text_of([*told, *rest]) == simulated("Write 80 words.")
    for stream in newer:
        stream.close()
