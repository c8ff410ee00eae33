"""The same call again: an idempotency key, the SDK's hidden retry, and how an answer says which it was."""

import asyncio
from typing import Any

import httpx
import openai
import pytest

from meanwhile.web.app import app
from tests.integration.web.world import World, client_of

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}
REPLAYED = "idempotent-replayed"


class Losing(httpx.AsyncBaseTransport):
    """The app behind a network that loses the first answer, after the app has given it."""

    def __init__(self, *, gateway: bool) -> None:
        self._app = httpx.ASGITransport(app)
        self._gateway = gateway
        self.counts: list[str | None] = []
        """What the SDK said about how often it has sent the call."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request on; the first answer becomes a gateway's error, or a broken connection."""
        self.counts.append(request.headers.get("x-stainless-retry-count"))
        answer = await self._app.handle_async_request(request)
        await answer.aread()
        if len(self.counts) > 1:
            return answer
        if self._gateway:
            return httpx.Response(502, headers={"retry-after-ms": "1"}, request=request)
        raise httpx.ReadError("the connection broke off", request=request)


def sdk_over(transport: Losing) -> Any:
    """Return the unmodified SDK behind such a network; `Any`, for its own types are stricter."""
    inside: Any = httpx.AsyncClient(transport=transport)
    return openai.AsyncOpenAI(api_key="sk-local", base_url="http://test", http_client=inside)


def heads(world: World) -> set[str]:
    """Return the ids of all responses."""
    return {item["response_id"]["S"] for item in world.items() if item["part"]["S"] == "head"}


@pytest.mark.parametrize("gateway", [True, False], ids=["gateway error", "broken connection"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "mine"}], ids=["no key", "key"])
async def test_a_create_whose_first_answer_is_lost_runs_once(
    world: World,
    *,
    gateway: bool,
    headers: dict[str, str],
) -> None:
    """The unmodified SDK tries again without telling anybody; what it gets is what it had asked for."""
    losing = Losing(gateway=gateway)
    async with sdk_over(losing) as sdk:
        made = await sdk.responses.create(
            model="simulator", input="Hello", background=True, extra_headers=headers
        )

    assert losing.counts == ["0", "1"]
    assert heads(world) == {made.id}
    assert world.calls.count("SendMessage") == 1


async def test_a_waiting_caller_who_comes_again_gets_the_same_answer(world: World) -> None:
    """A foreground call whose connection broke has been paid for; its retry does not pay again."""
    world.when("Query", lambda: world.finish(world.only_id(), "Hello", " you"), nth=2)
    losing = Losing(gateway=True)
    async with sdk_over(losing) as sdk:
        made = await sdk.responses.create(model="simulator", input="Hello")

    assert (made.status, made.output_text) == ("completed", "Hello you")
    assert heads(world) == {made.id}


async def test_a_waiting_caller_who_comes_again_waits_for_what_runs(
    http: httpx.AsyncClient, world: World
) -> None:
    """The retry waits as the first call did, and says that it is one."""
    asked = {"model": "simulator", "input": "Hello"}
    world.when("Query", lambda: world.finish(world.only_id(), "Hello", mend=False), nth=4)

    first, again = await asyncio.gather(
        http.post("/responses", json=asked),
        _after_the_first(world, http, asked),
    )

    assert first.json() == again.json()
    assert again.json()["status"] == "completed"
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")


async def _after_the_first(world: World, http: httpx.AsyncClient, asked: dict[str, Any]) -> httpx.Response:
    while "SendMessage" not in world.calls:
        await asyncio.sleep(0)
    return await http.post("/responses", json=asked, headers={"x-stainless-retry-count": "1"})


async def test_a_key_used_again_returns_the_response_as_it_stands(
    http: httpx.AsyncClient, world: World
) -> None:
    """Not as it stood: a caller who comes back later learns what has become of it."""
    key = {"idempotency-key": "order-4711"}
    made = await http.post("/responses", json=ASKED, headers=key)
    world.start(made.json()["id"], "Hel")

    running = await http.post("/responses", json=ASKED, headers=key)
    world.end(made.json()["id"])
    ended = await http.post("/responses", json=ASKED, headers=key)

    assert REPLAYED not in made.headers
    assert [each.status_code for each in (made, running, ended)] == [200, 200, 200]
    assert [each.json()["status"] for each in (made, running, ended)] == [
        "queued",
        "in_progress",
        "completed",
    ]
    assert {each.json()["id"] for each in (made, running, ended)} == heads(world)
    assert running.headers[REPLAYED] == ended.headers[REPLAYED] == "true"
    assert "openai-poll-after-ms" in running.headers
    assert world.calls[:3] == ["PutItem", "TransactWriteItems", "SendMessage"]


async def test_the_same_json_written_otherwise_is_the_same_request(http: httpx.AsyncClient) -> None:
    """A client that builds its body anew may order and space it differently; ids given here do not count."""
    key = {"idempotency-key": "k"}
    made = await http.post("/responses", json=ASKED, headers=key)

    again = await http.post(
        "/responses",
        content=b'{ "background" : true, "input": "\\u0048ello", "model": "simulator" }',
        headers=key | {"content-type": "application/json"},
    )

    assert again.json()["id"] == made.json()["id"]


async def test_a_key_with_another_body_is_refused(http: httpx.AsyncClient, world: World) -> None:
    """With a 400 that no SDK sends again, and that names the header."""
    key = {"idempotency-key": "k"}
    await http.post("/responses", json=ASKED, headers=key)

    refused = await http.post("/responses", json=ASKED | {"input": "Bye"}, headers=key)

    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("idempotency_key_reused", "Idempotency-Key")
    assert len(heads(world)) == 1


async def test_a_key_whose_response_was_deleted_is_refused(http: httpx.AsyncClient, world: World) -> None:
    """Deleted stays deleted, whoever repeats the call."""
    key = {"idempotency-key": "k"}
    made = await http.post("/responses", json=ASKED, headers=key)
    world.finish(made.json()["id"], "Hello")
    await http.delete(f"/responses/{made.json()['id']}")

    refused = await http.post("/responses", json=ASKED, headers=key)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\tb", "\x7f"])
async def test_what_cannot_be_a_key_is_refused(key: str, http: httpx.AsyncClient, world: World) -> None:
    """Before anything is stored; one that was taken for another would join what does not belong together."""
    refused = await http.post("/responses", json=ASKED, headers=[(b"idempotency-key", key.encode())])

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert world.items() == []


async def test_two_keys_are_none(http: httpx.AsyncClient, world: World) -> None:
    """Nobody can tell which was meant."""
    refused = await http.post(
        "/responses", json=ASKED, headers=[("idempotency-key", "a"), ("idempotency-key", "b")]
    )

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert world.items() == []


@pytest.mark.parametrize("key", ["!", "~" * 255, "3f0c8a52-8d39-4a4c-9e8b-0f5b8f7e5d11"])
async def test_what_can_be_a_key_is_taken(key: str, http: httpx.AsyncClient) -> None:
    """Any visible ASCII, up to 255 characters."""
    made = await http.post("/responses", json=ASKED, headers={"idempotency-key": key})

    assert made.status_code == 200


@pytest.mark.parametrize("count", ["0", "", "-1", "one", "9" * 5000])
async def test_only_a_retry_is_taken_for_one(count: str, http: httpx.AsyncClient, world: World) -> None:
    """Two people may ask the same at the same time, and want two answers."""
    for _ in range(2):
        made = await http.post("/responses", json=ASKED, headers={"x-stainless-retry-count": count})
        assert REPLAYED not in made.headers

    assert len(heads(world)) == 2


@pytest.mark.parametrize("header", [{"idempotency-key": "k"}, {"x-stainless-retry-count": "1"}])
async def test_another_owner_gets_a_response_of_their_own(
    header: dict[str, str], http: httpx.AsyncClient, world: World
) -> None:
    """The same key, the same words: nothing that another owner sends leads to what is not theirs."""
    mine = await http.post("/responses", json=ASKED, headers=header)
    async with client_of("mallory") as mallory:
        theirs = await mallory.post("/responses", json=ASKED, headers=header)

    assert heads(world) == {mine.json()["id"], theirs.json()["id"]}
    assert REPLAYED not in theirs.headers
