"""A caller without `background` waits for the end; whatever happens meanwhile, what was accepted stays so."""

import asyncio
import json
import logging
import threading
from typing import Any

import httpx
import pytest

from meanwhile import api, wiring
from meanwhile.domain.response import Head
from meanwhile.storage.log import LogStore
from meanwhile.web.app import app
from tests.integration.web.world import World, unreachable

pytestmark = pytest.mark.anyio

ASKED: dict[str, Any] = {"model": "simulator", "input": "Hello"}


async def test_the_answer_is_the_ended_response(sdk: Any, world: World) -> None:
    """To its caller it looks like any call that takes long."""
    world.when("Query", lambda: world.finish(world.only_id(), "Hello", " you"), nth=3)

    made = await sdk.responses.create(**ASKED)

    assert (made.status, made.output_text, made.background) == ("completed", "Hello you", False)
    assert made.to_dict() == (await sdk.responses.retrieve(made.id)).to_dict()


async def test_an_end_is_seen_before_the_head_follows(http: httpx.AsyncClient, world: World) -> None:
    """The log decides; a worker that died right after its last word keeps nobody waiting."""
    world.when("Query", lambda: world.finish(world.only_id(), "Hello", mend=False), nth=2)

    made = await http.post("/responses", json=ASKED)

    assert made.json()["status"] == "completed"


async def test_a_wait_reads_each_batch_once(http: httpx.AsyncClient, world: World) -> None:
    """Long answers have long logs; reading them anew with every poll would cost more than the answer."""
    read = LogStore.read
    after: list[int] = []

    def noted(self: LogStore, head: Head, **place: Any) -> Any:
        after.extend([place["after"]] if "after" in place else [])
        return read(self, head, **place)

    world.env.setattr(LogStore, "read", noted)
    world.when("Query", lambda: world.start(world.only_id(), "Hel"), nth=2)
    world.when("Query", lambda: world.end(world.only_id()), nth=6)

    made = await http.post("/responses", json=ASKED)

    assert made.json()["status"] == "completed"
    assert after[:3] == [-1, -1, 0]
    assert set(after[2:]) == {0}


async def test_a_long_wait_shows_signs_of_life(sdk: Any, http: httpx.AsyncClient, world: World) -> None:
    """API Gateway cuts a silent connection; clients read over new lines before JSON."""
    world.set(keep_alive_seconds=0)
    world.when("BatchGetItem", lambda: world.finish(world.only_id(), "Hello"), nth=4)

    raw = await http.post("/responses", json=ASKED)
    world.clear()
    world.when("BatchGetItem", lambda: world.finish(world.only_id(), "Hello"), nth=4)
    made = await sdk.responses.create(**ASKED)

    assert raw.text.startswith("\n\n\n\n{")
    assert raw.headers["content-type"] == "application/json"
    assert made.output_text == "Hello"


async def test_a_wait_that_meets_its_limit_returns_what_there_is(
    http: httpx.AsyncClient, world: World
) -> None:
    """The response runs on; the caller has its id and can poll."""
    world.set(wait_limit_seconds=0.2)
    world.when("Query", lambda: world.start(world.only_id(), "Hel"))

    made = await http.post("/responses", json=ASKED)

    assert (made.status_code, made.json()["status"]) == (200, "in_progress")
    assert made.json()["output"][0]["content"][0]["text"] == "Hel"
    world.end(made.json()["id"])
    assert (await http.get(f"/responses/{made.json()['id']}")).json()["status"] == "completed"


async def test_a_read_that_fails_is_tried_again(http: httpx.AsyncClient, world: World) -> None:
    """A throttled table is no reason to lose an answer that somebody waits for."""
    for nth in (1, 2, 4):
        world.when("Query", unreachable, nth=nth)
    world.when("Query", lambda: world.finish(world.only_id(), "Hello"), nth=5)

    made = await http.post("/responses", json=ASKED)

    assert (made.status_code, made.json()["status"]) == (200, "completed")


async def test_after_acceptance_nothing_is_an_error(http: httpx.AsyncClient, world: World) -> None:
    """A 5xx would make the SDK ask again, and the question would run twice."""
    world.set(wait_limit_seconds=0.1)
    for nth in range(1, 50):
        world.when("Query", unreachable, nth=nth)

    made = await http.post("/responses", json=ASKED)

    assert (made.status_code, made.json()["status"]) == (200, "in_progress")


async def test_not_even_a_mistake_of_ours(
    http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged by its type and place only: its message may quote the user."""

    def mistake() -> None:
        raise ZeroDivisionError("the user's words")

    world.when("Query", mistake)

    made = await http.post("/responses", json=ASKED)

    assert (made.status_code, made.json()["status"]) == (200, "in_progress")
    logged = [vars(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert [(record["error"], record["response_id"]) for record in logged] == [
        ("ZeroDivisionError", made.json()["id"])
    ]
    assert "words" not in str(logged)


async def test_what_is_deleted_keeps_nobody_waiting(http: httpx.AsyncClient, world: World) -> None:
    """Ended and deleted between two polls, its log is empty; only a look at the whole shows why."""

    def end_and_delete() -> None:
        world.finish(world.only_id(), "Hello")
        api.delete()("local", world.only_id())

    world.set(keep_alive_seconds=0.02)
    world.when("Query", end_and_delete)

    made = await http.post("/responses", json=ASKED)

    assert (made.status_code, made.json()["status"]) == (200, "in_progress")


async def test_a_slow_read_holds_up_no_other_request(http: httpx.AsyncClient, world: World) -> None:
    """One process carries many waits; storage is never asked on its event loop."""
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        reading.set()
        assert go_on.wait(5)

    world.when("Query", slow)
    world.when("Query", lambda: world.finish(world.only_id(), "Hello"), nth=2)

    waits = asyncio.create_task(http.post("/responses", json=ASKED))
    await asyncio.to_thread(reading.wait, 5)
    meanwhile = await http.get("/models")
    go_on.set()

    assert meanwhile.status_code == 200
    assert (await waits).json()["status"] == "completed"


async def test_whoever_leaves_ends_the_wait_and_nothing_else(world: World) -> None:
    """Disconnecting never cancels; and nothing is read for somebody who is not there."""
    world.set(keep_alive_seconds=0)
    client = LeavingClient(json.dumps(ASKED).encode())

    await asyncio.wait_for(app(client.scope, client.receive, client.send), timeout=5)

    assert (client.status, client.body) == (200, b"\n")
    assert world.calls.count("BatchGetItem") <= 1
    world.finish(world.only_id(), "Hello")
    assert wiring.read()("local", world.only_id())["status"] == "completed"


class LeavingClient:
    """A connection, as an ASGI server shows it, whose client leaves as soon as it has heard something."""

    def __init__(self, body: bytes) -> None:
        self._to_send = [{"type": "http.request", "body": body}]
        self._heard = asyncio.Event()
        self.status = 0
        self.body = b""
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "POST",
            "path": "/responses",
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer sk-local")],
        }

    async def receive(self) -> Any:
        if self._to_send:
            return self._to_send.pop()
        await self._heard.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        if self.body:
            self._heard.set()
            await asyncio.sleep(0)
