"""Create, retrieve, cancel, delete: what an unmodified SDK sees."""

from typing import Any

import httpx
import openai
import pytest

from tests.integration.web.world import World, client_of, sdk_of

pytestmark = pytest.mark.anyio

UNKNOWN = "resp_" + "0" * 48
POLL_AFTER = "openai-poll-after-ms"


async def test_a_background_response_is_queued_at_once(sdk: Any, world: World) -> None:
    """Two AWS calls stand between the question and its acceptance: store, and send."""
    made = await sdk.responses.with_raw_response.create(model="simulator", input="Hello", background=True)

    response = made.parse()
    assert (response.status, response.background, response.output) == ("queued", True, [])
    assert made.status_code == 200
    assert int(made.headers[POLL_AFTER]) > 0
    assert world.calls == ["BatchWriteItem", "SendMessage"]


async def test_a_poll_shows_the_words_that_are_there(sdk: Any, world: World) -> None:
    """Whoever looks while it runs sees the text so far; that costs two calls, and says when to come back."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)
    world.start(made.id, "Hello", " you")
    world.calls.clear()

    got = await sdk.responses.with_raw_response.retrieve(made.id)

    assert (got.parse().status, got.parse().output_text) == ("in_progress", "Hello you")
    assert POLL_AFTER in got.headers
    assert world.calls == ["BatchGetItem", "Query"]


async def test_an_ended_response_is_read_in_one_call(sdk: Any, world: World) -> None:
    """The result is stored beside the head, so the log is not read again."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)
    world.finish(made.id, "Hello", " you")
    world.calls.clear()

    got = await sdk.responses.with_raw_response.retrieve(made.id)

    response = got.parse()
    assert (response.status, response.output_text) == ("completed", "Hello you")
    assert response.usage is not None
    assert response.usage.total_tokens == 5
    assert POLL_AFTER not in got.headers
    assert world.calls == ["BatchGetItem"]


async def test_what_was_asked_is_echoed(sdk: Any) -> None:
    """Clients read their own parameters back from the object, and every key of a tool with them."""
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}
    made = await sdk.responses.create(
        model="simulator",
        input="Hello",
        background=True,
        instructions="Be brief.",
        metadata={"chat": "7"},
        temperature=0,
        max_output_tokens=16,
        tools=[tool],
        tool_choice={"type": "function", "name": "look"},
        text={
            "format": {"type": "json_schema", "name": "it", "schema": {"type": "object"}},
            "verbosity": "low",
        },
        reasoning={"effort": "low"},
        service_tier="flex",
        store=False,
    )

    got = (await sdk.responses.retrieve(made.id)).to_dict()

    assert got == made.to_dict()
    assert got["tools"] == [tool | {"description": None}]
    assert got["tool_choice"] == {"type": "function", "name": "look"}
    assert got["text"] == {
        "format": {
            "type": "json_schema",
            "name": "it",
            "schema": {"type": "object"},
            "strict": None,
            "description": None,
        },
        "verbosity": "low",
    }
    assert (got["temperature"], got["max_output_tokens"], got["service_tier"]) == (0.0, 16, "auto")
    assert (got["instructions"], got["metadata"], got["store"]) == ("Be brief.", {"chat": "7"}, False)
    assert got["reasoning"] == {"effort": "low", "summary": None}


async def test_a_large_request_comes_back_whole(http: httpx.AsyncClient) -> None:
    """What does not fit into an item goes through the bucket; nobody outside can tell."""
    # Digits that do not compress well enough to stay inline.
    text = "".join(f"{number * 2654435761 % 2**32:08x}" for number in range(80_000))

    made = await http.post("/responses", json={"model": "simulator", "input": text, "background": True})
    listed = await http.get(f"/responses/{made.json()['id']}/input_items")

    assert listed.json()["data"][0]["content"] == [{"type": "input_text", "text": text}]


async def test_cancelling_ends_it_and_again_changes_nothing(sdk: Any, world: World) -> None:
    """A cancelled response is empty and no error; a repeated cancel is how a client makes sure."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)
    world.start(made.id, "Hel")

    first = await sdk.responses.cancel(made.id)
    again = await sdk.responses.cancel(made.id)

    assert (first.status, first.output, first.error, first.completed_at) == ("cancelled", [], None, None)
    assert first.to_dict() == again.to_dict() == (await sdk.responses.retrieve(made.id)).to_dict()


async def test_what_ended_otherwise_cannot_be_cancelled(sdk: Any, world: World) -> None:
    """The caller learns how it ended instead of a cancel that did not happen."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)
    world.finish(made.id, "Hello")

    with pytest.raises(openai.BadRequestError, match="Cannot cancel a completed response"):
        await sdk.responses.cancel(made.id)


async def test_a_failure_says_why(sdk: Any, world: World) -> None:
    """`failed` without a reason would leave the caller with nothing to do."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)
    world.fail(made.id)

    got = await sdk.responses.retrieve(made.id)

    assert got.status == "failed"
    assert got.error is not None
    assert (got.error.code, got.error.message) == ("provider_error", "It broke.")


async def test_deleted_is_gone(sdk: Any, http: httpx.AsyncClient, world: World) -> None:
    """From the answer on nobody finds it, whichever way they ask."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)
    world.finish(made.id, "Hello")

    deleted = await http.delete(f"/responses/{made.id}")

    assert deleted.json() == {"id": made.id, "object": "response.deleted", "deleted": True}
    for path in ("", "/input_items"):
        assert (await http.get(f"/responses/{made.id}{path}")).status_code == 404
    assert (await http.post(f"/responses/{made.id}/cancel")).status_code == 404
    assert (await http.delete(f"/responses/{made.id}")).status_code == 404
    assert [item for item in world.items() if "payload" in item] == []


async def test_what_runs_cannot_be_deleted(sdk: Any) -> None:
    """Cancel first: a worker would go on paying for an answer nobody can read."""
    made = await sdk.responses.create(model="simulator", input="Hello", background=True)

    with pytest.raises(openai.BadRequestError, match="Cannot delete an in-flight response"):
        await sdk.responses.delete(made.id)


@pytest.mark.parametrize("call", ["retrieve", "cancel", "delete"])
async def test_an_unknown_id_is_not_found(call: str, sdk: Any, world: World) -> None:
    """The SDK raises its own class for it; an id that cannot be ours does not even reach the table."""
    with pytest.raises(openai.NotFoundError, match=UNKNOWN):
        await getattr(sdk.responses, call)(UNKNOWN)
    asked = len(world.calls)
    for strange in ("resp_1", "compact", "x" * 3000, "%00", "resp_%F0%9F%98%80"):
        with pytest.raises(openai.NotFoundError):
            await getattr(sdk.responses, call)(strange)

    assert len(world.calls) == asked == 1


@pytest.mark.parametrize("path", ["GET ", "GET /input_items", "POST /cancel", "DELETE "])
async def test_another_owners_response_does_not_exist(path: str, http: httpx.AsyncClient) -> None:
    """Word for word what a stranger to the id is told, so that asking does not even tell that it exists."""
    method, _, rest = path.partition(" ")
    made = await http.post("/responses", json={"model": "simulator", "input": "Hello", "background": True})
    response_id = made.json()["id"]

    async with client_of("mallory") as mallory:
        theirs = await mallory.request(method, f"/responses/{response_id}{rest}")
        nobodys = await mallory.request(method, f"/responses/{UNKNOWN}{rest}")

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace(response_id, UNKNOWN) == nobodys.text
    assert (await http.get(f"/responses/{response_id}")).json()["status"] == "queued"


async def test_a_wrong_key_is_refused_before_anything_is_read(world: World) -> None:
    """The SDK raises its own class for it, and no AWS call is spent on strangers."""
    async with sdk_of("sk-wrong") as sdk:
        with pytest.raises(openai.AuthenticationError) as refused:
            await sdk.responses.create(model="simulator", input="Hello")

    assert refused.value.code == "invalid_api_key"
    assert world.calls == []


async def test_a_wrong_parameter_is_named(sdk: Any, world: World) -> None:
    """`param` and `code` arrive in the SDK's own error, and nothing was stored."""
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.responses.create(model="simulator", input="Hello", temperature=3, background=True)

    assert (refused.value.param, refused.value.code) == ("temperature", "decimal_above_max_value")
    assert refused.value.type == "invalid_request_error"
    assert world.items() == []


async def test_an_unknown_model_is_a_mistake_of_the_request(sdk: Any) -> None:
    """It is refused at once; queued, it could only fail later."""
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.responses.create(model="gpt-nobody", input="Hello", background=True)

    assert (refused.value.param, refused.value.code) == ("model", "model_not_found")


@pytest.mark.parametrize("stream", ["false", "False", "0"])
async def test_saying_that_one_does_not_want_a_stream_is_fine(stream: str, http: httpx.AsyncClient) -> None:
    """SDKs send it explicitly, and ask for whatever else streams take."""
    made = await http.post(
        "/responses", json={"model": "simulator", "input": "Hello", "background": True, "stream": False}
    )
    got = await http.get(
        f"/responses/{made.json()['id']}",
        params={"stream": stream, "starting_after": 3, "include[]": "reasoning.encrypted_content"},
    )

    assert got.json() == made.json()
