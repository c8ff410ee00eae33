"""The headers beside the body, exactly where the contract has them."""

from typing import Any

import httpx
import pytest

from meanwhile.web import errors
from meanwhile.web.app import create_app
from meanwhile.web.openapi import document
from tests.integration.web.world import World, unreachable

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}
POLL_AFTER, RETRY_AFTER, SHOULD_RETRY = "openai-poll-after-ms", "retry-after", "x-should-retry"
NOBODY = f"resp_{'0' * 48}"
NO_TALK = f"conv_{'0' * 48}"

OPERATIONS = [
    pytest.param(method.upper(), path, id=operation["operationId"])
    for path, methods in document(create_app())["paths"].items()
    for method, operation in methods.items()
]


async def created(http: httpx.AsyncClient) -> str:
    """Create a response; return its path."""
    made = await http.post("/responses", json=ASKED)
    return f"/responses/{made.json()['id']}"


async def test_pollers_are_told_when_to_come_back_while_it_runs(
    http: httpx.AsyncClient, world: World
) -> None:
    """Queued and in progress, from create and retrieve; an answer that has ended will not change."""
    made = await http.post("/responses", json=ASKED)
    path = f"/responses/{made.json()['id']}"
    queued = await http.get(path)
    world.start(made.json()["id"], "Hel")
    running = await http.get(path)
    world.end(made.json()["id"])
    ended = await http.get(path)

    assert [each.json()["status"] for each in (made, queued, running, ended)] == [
        "queued", "queued", "in_progress", "completed",
    ]  # fmt: skip
    for each in (made, queued, running):
        assert 0 < int(each.headers[POLL_AFTER]) <= 60_000
    assert POLL_AFTER not in ended.headers


async def test_nothing_else_says_when_to_come_back(http: httpx.AsyncClient) -> None:
    """A list, a cancel or an error is no answer that one polls for."""
    path = await created(http)

    answers = [
        await http.get("/responses"),
        await http.get(f"{path}/input_items"),
        await http.get("/models"),
        await http.get(f"/responses/{NOBODY}"),
        await http.post(f"{path}/cancel"),
        await http.get(path),
        await http.delete(path),
    ]

    assert [each.headers.get(POLL_AFTER) for each in answers] == [None] * len(answers)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_every_operation_names_its_request(method: str, path: str, http: httpx.AsyncClient) -> None:
    """Taken from the document: the id that support asks for is on every answer, and never the same twice."""
    path = path.format(response_id=NOBODY, conversation_id=NO_TALK, item_id="msg_1", model="simulator")

    first, second = [await http.request(method, path) for _ in range(2)]
    refused = await http.request(method, path, headers={"authorization": "Bearer wrong"})

    ids = [each.headers["x-request-id"] for each in (first, second, refused)]
    assert refused.status_code == 401
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", f"/responses/{NOBODY}", "BatchGetItem"),
        ("GET", "/responses", "Query"),
        ("POST", f"/responses/{NOBODY}/cancel", "BatchGetItem"),
        ("DELETE", f"/responses/{NOBODY}", "GetItem"),
        ("POST", "/responses/cancel_all", "Query"),
    ],
)
async def test_what_may_be_repeated_says_when(
    method: str, path: str, call: str, http: httpx.AsyncClient, world: World
) -> None:
    """Asking again has no second effect; SDKs obey up to a minute, and give up at more."""
    world.when(call, unreachable)

    failed = await http.request(method, path)

    assert failed.status_code == 503
    assert 0 < int(failed.headers[RETRY_AFTER]) <= 60
    assert SHOULD_RETRY not in failed.headers


async def test_what_might_run_twice_says_so(http: httpx.AsyncClient, world: World) -> None:
    """A create that failed after its write was sent: and only that."""
    world.when("BatchWriteItem", unreachable)

    failed = await http.post("/responses", json=ASKED)

    assert failed.status_code == 503
    assert failed.headers[SHOULD_RETRY] == "false"
    assert RETRY_AFTER not in failed.headers


async def test_what_worked_or_is_the_callers_mistake_says_nothing_of_retries(http: httpx.AsyncClient) -> None:
    """SDKs do not repeat those by themselves."""
    path = await created(http)
    answers: list[Any] = [
        await http.get(path),
        await http.post("/responses", json={}),
        await http.post("/responses", content=b"{"),
        await http.get(f"/responses/{NOBODY}"),
        await http.get("/responses?limit=0"),
        await http.get("/models", headers={"authorization": "Bearer wrong"}),
    ]

    assert [each.status_code for each in answers] == [200, 400, 400, 404, 400, 401]
    for each in answers:
        assert not {RETRY_AFTER, SHOULD_RETRY} & set(each.headers)


def test_no_error_asks_to_wait_longer_than_sdks_obey() -> None:
    """Above a minute the SDK does not try again at all; 409 it would repeat by itself."""
    rows = list(errors._ROWS.values())

    assert {row.retry_after for row in rows if row.retry_after is not None} <= set(range(1, 61))
    assert 409 not in {row.status for row in rows}
