"""When AWS, the network or this service fails: what the caller is told, and whether to try again."""

import logging
from typing import Any

import httpx
import pytest

from tests.integration.web.world import World, unreachable

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}


async def test_a_create_that_may_have_happened_is_not_repeated(http: httpx.AsyncClient, world: World) -> None:
    """The write may have arrived though its answer did not; a retry that is not known as one runs twice."""
    world.when("BatchWriteItem", unreachable)

    failed = await http.post("/responses", json=ASKED)

    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "service_unavailable")
    assert failed.headers["x-should-retry"] == "false"
    assert "retry-after" not in failed.headers
    assert world.calls == ["BatchWriteItem"]


@pytest.mark.parametrize("header", [{"x-stainless-retry-count": "0"}, {"idempotency-key": "k"}])
async def test_a_create_that_is_known_again_may_be_repeated(
    http: httpx.AsyncClient, world: World, header: dict[str, str]
) -> None:
    """Its retry is led to what it has made, if it has."""
    for write in ("BatchWriteItem", "TransactWriteItems"):
        world.when(write, unreachable)

    failed = await http.post("/responses", json=ASKED, headers=header)

    assert failed.status_code == 503
    assert failed.headers["retry-after"] == "1"
    assert "x-should-retry" not in failed.headers


async def test_a_question_that_could_not_be_sent_is_accepted(sdk: Any, world: World) -> None:
    """Stored means accepted: the sweeper sends what the queue did not take."""
    world.when("SendMessage", unreachable)

    made = await sdk.responses.create(model="simulator", input="Hello", background=True)

    assert made.status == "queued"
    assert (await sdk.responses.retrieve(made.id)).status == "queued"


async def test_a_read_that_failed_may_be_repeated(http: httpx.AsyncClient, world: World) -> None:
    """And is, by the SDK, a second later."""
    world.when("BatchGetItem", unreachable)

    failed = await http.get(f"/responses/resp_{'0' * 48}")

    assert failed.status_code == 503
    assert failed.headers["retry-after"] == "1"
    assert "x-should-retry" not in failed.headers
    assert failed.json()["error"]["type"] == "server_error"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_mistake_of_ours_tells_nobody_anything(
    method: str, http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception's message may quote what was asked: neither the caller nor the log sees it."""

    def mistake() -> None:
        raise ZeroDivisionError("the user's words")

    world.when("BatchGetItem", mistake)
    world.when("BatchWriteItem", mistake)
    path = f"/responses/resp_{'0' * 48}" if method == "GET" else "/responses"

    failed = await http.request(method, path, json=ASKED)

    assert failed.status_code == 500
    assert failed.json() == {
        "error": {
            "message": "The server had an error while processing the request.",
            "type": "server_error",
            "param": None,
            "code": "server_error",
        }
    }
    assert failed.headers.get("x-should-retry") == ("false" if method == "POST" else None)
    (logged,) = [vars(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert logged["error"] == "ZeroDivisionError"
    assert "test_failures.py" in logged["where"]
    assert logged["request_id"] == failed.headers["x-request-id"]
    assert "words" not in str(logged)


async def test_a_service_without_its_settings_says_so_in_its_log(
    http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """And fails its readiness check, so that a deployment that cannot work never takes traffic."""
    world.env.delenv("BUCKET")
    world.set()

    failed = await http.get("/healthz")

    assert failed.status_code == 500
    assert "BUCKET is not set" in caplog.text or "BUCKET is not set" in str(
        [vars(record) for record in caplog.records]
    )


async def test_a_log_that_breaks_its_rules_is_our_mistake(http: httpx.AsyncClient, world: World) -> None:
    """Nothing made up is shown in its place."""
    made = await http.post("/responses", json=ASKED)
    world.start(made.json()["id"], "Hello")
    world.client.update_item(
        TableName=world.table,
        Key={"response_id": {"S": made.json()["id"]}, "part": {"S": "log#000000"}},
        UpdateExpression="SET payload = :junk",
        ExpressionAttributeValues={":junk": {"B": b"junk"}},
    )

    failed = await http.get(f"/responses/{made.json()['id']}")

    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "server_error")
