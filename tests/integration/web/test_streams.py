"""Streams over HTTP: whole frames, the same for every reader, from any event on, never ending in silence."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from meanwhile import wiring
from meanwhile.domain.events import events
from meanwhile.domain.log import facts_of
from meanwhile.web.app import app
from tests.integration.web.world import World, client_of, unreachable

pytestmark = pytest.mark.anyio

ASKED: dict[str, Any] = {"model": "simulator", "input": "Hello", "background": True}
STREAMED = ASKED | {"stream": True}


def frames(body: str) -> list[dict[str, Any]]:
    """Return the events of a body, each of whose frames must be whole; the last is `[DONE]` or an error."""
    found = []
    *whole, rest = body.split("\n\n")
    assert rest == ""
    for frame in whole:
        if frame.startswith(":"):
            continue
        *names, data = frame.split("\n")
        if data == "data: [DONE]":
            assert (names, frame) == ([], whole[-1])
            continue
        event = json.loads(data.removeprefix("data: "))
        assert names == [f"event: {event['type']}"]
        found.append(event)
    return found


async def made(http: httpx.AsyncClient, world: World, *words: str) -> str:
    """Return the id of a response; with words it has ended."""
    response_id: str = (await http.post("/responses", json=ASKED)).json()["id"]
    if words:
        world.finish(response_id, *words)
    return response_id


def history(response_id: str) -> list[dict[str, Any]]:
    """Return the events that the stored log stands for."""
    record = wiring.stores().responses.record(response_id)
    assert record is not None
    assert record.request is not None
    return list(events(record.head, record.request, facts_of(wiring.stores().log.read(record.head))))


async def test_a_stream_is_server_sent_events_to_its_end(http: httpx.AsyncClient, world: World) -> None:
    """The framing of the API: an event's name is its type, and the last frame says that all was sent."""
    world.when("Query", lambda: world.finish(world.only_id(), "Hello"), nth=3)

    got = await http.post("/responses", json=STREAMED)

    assert got.status_code == 200
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert got.headers["cache-control"] == "no-cache"
    assert got.headers["x-accel-buffering"] == "no"
    assert got.headers["x-request-id"]
    assert got.text.endswith("\n\ndata: [DONE]\n\n")
    assert "\r" not in got.text
    assert "\nid:" not in got.text
    assert frames(got.text) == history(world.only_id())
    assert frames(got.text)[-1]["type"] == "response.completed"


@pytest.mark.parametrize("background", [True, False])
async def test_every_reader_gets_the_same_bytes(
    http: httpx.AsyncClient,
    world: World,
    *,
    background: bool,
) -> None:
    """Whoever was there from the start, whoever came later, and whoever reads it again next week."""
    world.when("Query", lambda: world.start(world.only_id(), "Hel"), nth=2)
    world.when("Query", lambda: world.end(world.only_id()), nth=5)

    live = await http.post("/responses", json=STREAMED | {"background": background})
    replays = [await http.get(f"/responses/{world.only_id()}?stream=true") for _ in range(2)]

    assert [replay.content for replay in replays] == [live.content] * 2


async def test_a_stream_resumes_behind_any_event(http: httpx.AsyncClient, world: World) -> None:
    """`starting_after` is exclusive; at the end and beyond there is nothing more, and that is no error."""
    response_id = await made(http, world, "Hel", "lo")
    whole = history(response_id)

    for after in range(len(whole) + 2):
        got = await http.get(f"/responses/{response_id}?stream=true&starting_after={after}")
        assert (got.status_code, frames(got.text)) == (200, whole[after + 1 :])
        assert got.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("asked", ["stream=2", "starting_after=-1", "starting_after=x"])
async def test_what_cannot_be_meant_is_refused_before_a_stream_begins(
    http: httpx.AsyncClient, world: World, asked: str
) -> None:
    """As JSON, with the parameter's name, like any bad call."""
    response_id = await made(http, world, "Hello")

    got = await http.get(f"/responses/{response_id}?stream=true&{asked}")

    assert (got.status_code, got.json()["error"]["param"]) == (400, asked.partition("=")[0])


async def test_what_is_not_there_is_not_found_before_a_stream_begins(http: httpx.AsyncClient) -> None:
    """Not as an event inside a 200."""
    got = await http.get(f"/responses/resp_{'0' * 48}?stream=true")

    assert (got.status_code, got.headers["content-type"]) == (404, "application/json")


async def test_another_owners_stream_is_not_found(http: httpx.AsyncClient, world: World) -> None:
    """The same words as for an id that nobody has, and no event of it."""
    response_id = await made(http, world, "Hello")

    async with client_of("eve") as eve:
        got = await eve.get(f"/responses/{response_id}?stream=true&starting_after=2")

    assert (got.status_code, got.json()["error"]["message"]) == (
        404,
        f"Response with id '{response_id}' not found.",
    )


async def test_the_sdk_raises_at_a_time_limit_and_resumes(sdk: Any, world: World) -> None:
    """Nothing is truncated in silence, and nothing is read twice."""
    world.set(wait_limit_seconds=1)
    world.skip_pauses()
    world.when("Query", lambda: world.start(world.only_id(), "Hel"), nth=2)
    stream = await sdk.responses.create(**STREAMED)
    seen = [await anext(stream) for _ in range(6)]

    with pytest.raises(openai.APIError, match="starting_after=5") as error:
        await anext(stream)
    world.set(wait_limit_seconds=5)
    world.end(world.only_id())
    rest = [e async for e in await sdk.responses.retrieve(world.only_id(), stream=True, starting_after=5)]

    assert error.value.code == "stream_time_limit"
    assert [event.sequence_number for event in [*seen, *rest]] == [*range(len(history(world.only_id())))]
    assert rest[-1].response.output_text == "Hel"


async def test_an_error_event_can_be_resumed_from(http: httpx.AsyncClient, world: World) -> None:
    """Clients take the last number they saw; the error's is the last event's own."""
    world.set(wait_limit_seconds=1)
    world.skip_pauses()
    response_id = await made(http, world)
    world.start(response_id, "Hel")

    got = await http.get(f"/responses/{response_id}?stream=true")

    *told, error = frames(got.text)
    assert (error["type"], error["sequence_number"]) == ("error", told[-1]["sequence_number"])
    assert error["error"] == {
        "message": "The stream has reached its time limit. "
        "The response goes on: resume with starting_after=5.",
        "type": "server_error",
        "param": None,
        "code": "stream_time_limit",
    }
    assert "[DONE]" not in got.text


async def test_a_mistake_of_ours_is_told_without_its_words(http: httpx.AsyncClient, world: World) -> None:
    """Its message may quote the user; the stream still ends with something that SDKs raise."""

    def mistake() -> None:
        raise ZeroDivisionError("the user's words")

    response_id = await made(http, world)
    world.when("Query", mistake)

    got = await http.get(f"/responses/{response_id}?stream=true")

    assert frames(got.text)[-1]["error"]["code"] == "server_error"
    assert "words" not in got.text


async def test_a_table_that_does_not_answer_for_a_moment_ends_no_stream(
    http: httpx.AsyncClient, world: World
) -> None:
    """It goes on where it was."""
    response_id = await made(http, world, "Hello")
    world.when("Query", unreachable)

    got = await http.get(f"/responses/{response_id}?stream=true")

    assert frames(got.text) == history(response_id)


async def test_a_silent_stream_shows_signs_of_life(sdk: Any, http: httpx.AsyncClient, world: World) -> None:
    """As comments, which no client takes for events."""
    world.set(keep_alive_seconds=0)
    world.when("BatchGetItem", lambda: world.finish(world.only_id(), "Hello"), nth=3)

    raw = await http.post("/responses", json=STREAMED)
    events = [event async for event in await sdk.responses.retrieve(world.only_id(), stream=True)]

    assert raw.text.count(": keep-alive\n\n") >= 2
    assert [event.to_dict()["type"] for event in events] == [event["type"] for event in frames(raw.text)]


async def test_a_stream_that_is_asked_for_again_under_its_key_is_the_same_response(
    http: httpx.AsyncClient, world: World
) -> None:
    """Its first answer may have been lost on the way."""
    headers = {"idempotency-key": "once"}
    world.when("Query", lambda: world.finish(world.only_id(), "Hello"), nth=2)

    first = await http.post("/responses", json=STREAMED, headers=headers)
    again = await http.post("/responses", json=STREAMED, headers=headers)

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_replay_shows_what_was_stored_however_the_call_is_written(
    http: httpx.AsyncClient, world: World
) -> None:
    """The same JSON in another order is the same call, and every reader of it gets the same bytes."""
    headers = {"idempotency-key": "once"}
    world.when("Query", lambda: world.finish(world.only_id(), "Hello"), nth=2)

    first = await http.post("/responses", json=STREAMED | {"metadata": {"a": "1", "b": "2"}}, headers=headers)
    again = await http.post("/responses", json=STREAMED | {"metadata": {"b": "2", "a": "1"}}, headers=headers)

    assert again.content == first.content


async def test_no_sign_in_a_text_ends_a_line(http: httpx.AsyncClient, world: World) -> None:
    """Clients that read line by line, as httpx does, know more line breaks than JSON escapes."""
    text = "a\u2028b\x85c\u2029d\ne\r\nf\x0b\x0c\x1c"
    response_id = await made(http, world, text)

    got = await http.get(f"/responses/{response_id}?stream=true")

    lines = [line for line in got.text.splitlines() if line]
    assert {line.partition(":")[0] for line in lines} == {"event", "data"}
    assert frames(got.text)[-1]["response"]["output"][0]["content"][0]["text"] == text


async def test_whoever_leaves_ends_the_stream_and_nothing_else(http: httpx.AsyncClient, world: World) -> None:
    """Disconnecting never cancels, and the place of a watcher is free again."""
    response_id = await made(http, world)
    left = asyncio.Event()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if b"response.output_text.delta" in message.get("body", b""):
            left.set()
            await asyncio.sleep(0)

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "GET",
        "path": f"/responses/{response_id}", "query_string": b"stream=true",
        "headers": [(b"authorization", b"Bearer sk-local")],
    }  # fmt: skip
    world.when("Query", lambda: world.start(response_id, "Hel"), nth=4)

    await asyncio.wait_for(app(scope, receive, send), timeout=5)

    found = (await http.get(f"/responses/{response_id}")).json()
    assert (found["status"], found["output"][0]["content"][0]["text"]) == ("in_progress", "Hel")
    while [item for item in world.items() if item["part"]["S"].startswith("watch#")]:
        await asyncio.sleep(0.01)  # it is removed behind the reader's back


async def test_padding_may_be_asked_for_or_not(http: httpx.AsyncClient, world: World) -> None:
    """Taken, and the same either way: SDKs and proxies send it."""
    response_id = await made(http, world, "Hello")
    path = f"/responses/{response_id}?stream=true&include_obfuscation="

    with_it, without = [await http.get(path + chosen) for chosen in ("true", "false")]
    options = {"stream_options": {"include_obfuscation": False}}
    world.set(wait_limit_seconds=0.01)
    created = await http.post("/responses", json=STREAMED | options)

    assert with_it.content == without.content
    assert created.status_code == 200
