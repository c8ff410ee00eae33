"""A function under the Lambda Web Adapter is its own web server, and its answers pass as they come."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest

from infra.local.children import Children
from infra.local.client import LocalStack
from infra.local.functions import Function
from infra.local.gateway import Gateway
from infra.local.options import Options
from infra.local.routes import Api, Integration
from infra.local.webserver import WebServer
from tests.stack.local.conftest import APP, Latch
from tests.support.waiting import eventually


def test_pieces_pass_as_they_come(http: httpx.Client) -> None:
    """The second piece is made only after the first was seen, so nothing on the way may hold it back."""
    gate = str(uuid.uuid4())
    with http.stream("GET", "/stream/wait", params={"gate": gate}) as answer:
        pieces = answer.iter_text()
        seen = [next(pieces)]
        for _ in range(2):
            http.get("/stream/pass", params={"gate": gate})
            seen.append(next(pieces))

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers  # a compressor would gather pieces
    assert seen == ["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"]


def test_the_server_is_told_what_the_adapter_tells(http: httpx.Client) -> None:
    """The path without the stage, the body, and the contexts of request and invocation as headers."""
    told = http.post("/stream/told?a=b%20c", content="hello").json()

    request = json.loads(told["headers"]["x-amzn-request-context"])
    invocation = json.loads(told["headers"]["x-amzn-lambda-context"])
    assert (told["path"], told["query"], told["body"]) == ("/stream/told", "a=b%20c", "hello")
    assert (request["stage"], request["resourcePath"]) == ("v1", "/stream/{how}")
    assert request["identity"]["sourceIp"] == "127.0.0.1"
    assert invocation["env_config"]["function_name"] == "StreamFunction"


@pytest.mark.parametrize("value", ["é".encode("latin-1"), "é".encode(), b"\xff"])
def test_a_header_passes_byte_by_byte(value: bytes, http: httpx.Client) -> None:
    """Whatever a client sends: one byte above 0x7F once left it waiting for an answer for ever."""
    told = http.get("/stream/told", headers=[(b"x-name", value)]).json()

    assert told["name"].encode("latin-1") == value


class Broken(WebServer):
    """Fails as nothing should."""

    def __init__(self) -> None:
        """Have no server behind it."""

    @asynccontextmanager
    async def request(self, *_: object) -> AsyncIterator[httpx.Response]:
        """Fail."""
        raise RuntimeError("the words of a user")
        yield


@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_error_nobody_thought_of_is_an_answer_and_a_line(
    *,
    is_streamed: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A client that waits for nothing, and a log that says nothing, is the worst of both."""
    sent: list[dict[str, Any]] = []

    async def answered() -> None:
        route = Integration("F", timeout=9, is_streamed=is_streamed)
        api = Api("api", "v1", {}, {"/stream/{how}": {"GET": route}}, {}, ())
        gateway = Gateway({"v1": api}, {"F": Broken()}, AsyncMock())

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await gateway(scope_of("/v1/stream/told"), AsyncMock(return_value={"type": "http.request"}), send)
        await gateway.stop()

    asyncio.run(answered())

    said = capsys.readouterr().out
    assert sent[0]["status"] == 502
    assert "RuntimeError at " in said
    assert "words" not in said


def scope_of(path: str, query: str = "") -> dict[str, Any]:
    """Return a request as the server under the gateway hands it on."""
    return {
        "type": "http",
        "method": "GET",
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [],
        "server": ("127.0.0.1", 80),
    }


def test_an_answer_that_breaks_off_does_not_look_finished(http: httpx.Client) -> None:
    """The client must be able to tell a crash from an end."""
    with pytest.raises(httpx.RemoteProtocolError), http.stream("GET", "/stream/break") as answer:
        answer.read()


def test_a_server_that_died_is_started_again(http: httpx.Client) -> None:
    """The request that it died of is a 502; the next one meets a new process."""
    before = http.get("/stream/told").json()["pid"]

    fatal = http.get("/stream/exit")

    assert fatal.status_code == 502
    assert http.get("/stream/told").json()["pid"] != before


def test_what_a_script_started_ends_with_it(http: httpx.Client, stack: LocalStack) -> None:
    """Killing the listed process ends the server behind it too."""
    before = http.get("/stream/told").json()["pid"]

    stack.kill("StreamFunction")

    def another_answers() -> bool:
        with suppress(httpx.RemoteProtocolError):  # this request was the killed one's
            answer = http.get("/stream/told")
            return answer.status_code == 200 and answer.json()["pid"] != before
        return False

    eventually(another_answers)


def test_no_more_streams_than_reserved(http: httpx.Client, stack: LocalStack, latch: Latch) -> None:
    """ReservedConcurrentExecutions is 3: the fourth watcher is turned away, not the workers."""
    eventually(lambda: stack.invocations()["StreamFunction"]["running"] == 0)
    with ExitStack() as watchers:
        for _ in range(3):
            held = http.stream("GET", "/stream/hold", params={"latch": latch.port})
            next(watchers.enter_context(held).iter_text())

        refused = http.get("/stream/told")
        latch.open()

    assert refused.status_code == 429
    eventually(lambda: stack.invocations()["StreamFunction"]["running"] == 0)
    assert refused.json()["error"]["type"] == "THROTTLED"


@asynccontextmanager
async def web_server(folder: Path) -> AsyncIterator[WebServer]:
    """Have the streaming app as a function without a stack, started by the run.sh of a folder."""
    children = Children()
    await children.start_guard()
    function = Function(
        name="F",
        handler="run.sh",
        folder=folder,
        layers=(APP / "stream", APP / "layer"),
        memory=128,
        timeout=9,
        reserved=None,
        variables={"AWS_LWA_READINESS_CHECK_PATH": "/ready"},
    )
    server = WebServer(function, function.environment(Options(caller=os.environ), ""), children)  # noqa: TID251 - a caller's
    try:
        yield server
    finally:
        await server.close()
        await children.stop_all()


def test_a_stream_that_is_idle_too_long_is_cut() -> None:
    """API Gateway gives a stream five idle minutes (here a few seconds), and then no proper end."""

    async def messages() -> list[dict[str, Any]]:
        sent = []
        async with web_server(APP / "stream") as server:
            async with server.request("GET", "/ready", (), b"", {}):
                pass  # its start counts as idle time too, and may take longer
            route = Integration("F", timeout=9, is_streamed=True)
            api = Api("api", "v1", {}, {"/stream/{how}": {"GET": route}}, {}, ())
            gateway = Gateway({"v1": api}, {"F": server}, AsyncMock(), idle_seconds=3)
            scope = scope_of("/v1/stream/wait", "gate=idle")

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            await gateway(scope, AsyncMock(return_value={"type": "http.request"}), send)
            await gateway.stop()
        return sent

    start, *parts = asyncio.run(messages())

    assert start["status"] == 200
    assert [(part["body"], part["more_body"]) for part in parts] == [(b"data: 0\n\n", True)]


STRANGER = """
python -c 'import os, socket; socket.socket().bind(("127.0.0.1", int(os.environ["PORT"])))' && exit 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port cannot be kept for somebody else")
def test_nobody_else_gets_the_port_of_a_server_that_starts(tmp_path: Path) -> None:
    """A start takes a second, and whoever answered there would be taken for the server."""
    (tmp_path / "run.sh").write_text(STRANGER + (APP / "stream" / "run.sh").read_text())

    async def status() -> int:
        async with web_server(tmp_path) as server, server.request("GET", "/ready", (), b"", {}) as answer:
            return answer.status_code

    assert asyncio.run(status()) == 200
