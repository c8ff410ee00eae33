"""What every answer has, and the routes beside the responses themselves."""

import json
from typing import Any

import httpx
import pytest

from meanwhile.web.body import MAX_BYTES
from tests.integration.web.world import World, client_of

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}
NOWHERE = f"/responses/resp_{'0' * 48}"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/models", 200),
        ("POST", "/responses", 400),
        ("GET", NOWHERE, 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/responses/", 404),
        ("PATCH", "/responses", 405),
        ("POST", NOWHERE, 405),
        ("OPTIONS", "/responses", 204),
    ],
)
async def test_every_answer_has_an_id_and_may_be_read_by_a_browser(
    method: str, path: str, status: int, http: httpx.AsyncClient
) -> None:
    """Errors too: without the headers a page sees a network failure and cannot even name the request."""
    got = await http.request(method, path)

    assert got.status_code == status
    assert got.headers["x-request-id"]
    assert got.headers["access-control-allow-origin"] == "*"
    assert "x-request-id" in got.headers["access-control-expose-headers"]
    if status >= 400:
        assert set(got.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/openapi.json", 200), ("/models", 401), ("/models/simulator", 401), (NOWHERE, 401),
     ("/responses/strange", 401), (f"{NOWHERE}/input_items?limit=0", 401)],
)  # fmt: skip
async def test_without_a_key_there_is_little_to_see(path: str, status: int, world: World) -> None:
    """A stranger learns neither what is wrong with a request nor what exists."""
    async with client_of() as client:
        del client.headers["authorization"]
        got = await client.get(path)

    assert got.status_code == status
    assert world.calls == []
    if status == 401:
        assert got.json()["error"]["code"] == "invalid_api_key"
        assert got.headers["www-authenticate"] == "Bearer"


async def test_a_preflight_allows_what_it_is_asked_for(http: httpx.AsyncClient, world: World) -> None:
    """Run without the gateway, a page must reach the app all the same; a preflight carries no key."""
    world.set(cors_allow_origin="https://chat.example")
    del http.headers["authorization"]

    got = await http.options(
        "/responses",
        headers={
            "origin": "https://chat.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,x-stainless-lang",
        },
    )

    assert got.status_code == 204
    assert got.headers["access-control-allow-origin"] == "https://chat.example"
    assert got.headers["access-control-allow-headers"] == "authorization,x-stainless-lang"
    assert got.headers["access-control-allow-methods"] == "GET,POST,PATCH,DELETE,OPTIONS"


@pytest.mark.parametrize(
    ("context", "kept"),
    [
        ('{"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"}', True),
        ('{"requestId": "not\\nan id"}', False),
        ('{"requestId": 7}', False),
        ("[]", False),
        ("{", False),
        ("[" * 20_000, False),
    ],
)
async def test_the_gateways_request_id_is_ours(context: str, *, kept: bool, http: httpx.AsyncClient) -> None:
    """One id leads from the caller's error through the gateway's log to ours; junk does no harm."""
    got = await http.get("/healthz", headers={"x-amzn-request-context": context})

    assert got.status_code == 200
    assert (got.headers["x-request-id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef") is kept
    assert kept or got.headers["x-request-id"].startswith("req_")


async def test_the_models_are_listed(sdk: Any) -> None:
    """A chat window offers what is there."""
    listed = [model async for model in sdk.models.list()]

    one = await sdk.models.retrieve("simulator")

    assert one in listed
    assert (one.object, one.owned_by) == ("model", "meanwhile")


@pytest.mark.parametrize("model", ["nobody", "meta-llama/nobody", "%F0%9F%98%80"])
async def test_an_unknown_model_is_not_found(model: str, http: httpx.AsyncClient) -> None:
    """Here the model is what was looked for, so it is 404; ids with slashes are usual upstream."""
    got = await http.get(f"/models/{model}")

    assert got.status_code == 404
    assert got.json()["error"]["code"] == "model_not_found"


async def test_with_an_upstream_any_model_may_be_asked(http: httpx.AsyncClient, world: World) -> None:
    """Which models an upstream has, it alone knows."""
    world.set(model_base_url="https://models.example/v1")

    made = await http.post("/responses", json=ASKED | {"model": "meta-llama/any"})

    assert (made.status_code, made.json()["model"]) == (200, "meta-llama/any")


async def test_input_items_come_in_pages(sdk: Any) -> None:
    """The SDK walks them, newest first, following the id of the last one."""
    asked = [{"role": "user", "content": str(number)} for number in range(5)]
    made = await sdk.responses.create(model="simulator", input=asked, background=True)

    page = await sdk.responses.input_items.list(made.id, limit=2)
    newest = [item async for item in sdk.responses.input_items.list(made.id, limit=2)]
    oldest = [item async for item in sdk.responses.input_items.list(made.id, limit=100, order="asc")]

    assert (len(page.data), page.has_more, page.object) == (2, True, "list")
    assert (page.first_id, page.last_id) == (page.data[0].id, page.data[-1].id)
    assert [item.content[0].text for item in oldest] == ["0", "1", "2", "3", "4"]
    assert newest == oldest[::-1]
    assert {item.status for item in oldest} == {"completed"}


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=many", "limit"), ("order=up", "order"),
     ("after=msg_unknown", "after"), ("include[]=everything", "include[][0]")],
)  # fmt: skip
async def test_a_page_asked_for_wrongly_is_refused(query: str, param: str, http: httpx.AsyncClient) -> None:
    """By name, like any other parameter."""
    made = await http.post("/responses", json=ASKED)

    got = await http.get(f"/responses/{made.json()['id']}/input_items?{query}")

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)


async def test_a_body_of_the_promised_size_is_taken_and_no_larger(
    http: httpx.AsyncClient, world: World
) -> None:
    """4.5 MB fit through Lambda; what does not is refused in the API's words, not the gateway's."""
    empty = len(json.dumps(ASKED | {"input": ""}))
    fits = json.dumps(ASKED | {"input": "x" * (MAX_BYTES - empty)})

    taken = await http.post("/responses", content=fits)
    stored = len(world.items())
    refused = await http.post("/responses", content=fits + " ")

    assert taken.status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")
    assert len(world.items()) == stored


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"model": "simulator", "input": "\\ud800"}',
        b'{"model": "simulator", "input": ' + b"[" * 50_000,
        b'{"model": "simulator", "input": "Hi", "temperature": NaN}',
        b'{"model": "simulator", "input": "Hi", "max_output_tokens": 1e999}',
        b'{"model": "simulator", "input": "Hi", "metadata": {"a": {"b": 1}}}',
    ],
)
async def test_junk_is_refused_and_nothing_of_it_stored(
    body: bytes, http: httpx.AsyncClient, world: World
) -> None:
    """As a mistake of the caller: a 5xx would be sent again and wake somebody up."""
    got = await http.post("/responses", content=body)

    assert got.status_code == 400
    assert got.json()["error"]["type"] == "invalid_request_error"
    assert world.calls == []
