"""A function that is its own web server, as under the Lambda Web Adapter.

On Lambda each execution environment runs the server and gets one request at a time; here one process serves
them all, and ReservedConcurrentExecutions limits how many. Rules from the adapter's README: started by
run.sh, ready when its readiness path answers below 500, told about the request in two `x-amzn-…-context`
headers.
"""

import asyncio
import json
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx

from infra.local.children import Child, Children
from infra.local.clock import now_ms
from infra.local.errors import Throttled
from infra.local.functions import Function
from infra.local.headers import encoded
from infra.local.log import log
from infra.local.pool import Counts
from infra.local.runtime import INIT_SECONDS

_READY_BELOW = 500
_POLL_SECONDS = 0.02
_UNLIMITED = 1000
"""The account's own limit of concurrent executions."""


class ServerDied(Exception):
    """The function's process ended, or never became ready."""


class WebServer:
    """Runs a web-server function. `request` is one invocation."""

    def __init__(self, function: Function, environment: dict[str, str], children: Children) -> None:
        self.function = function
        self.limit = _UNLIMITED if function.reserved is None else function.reserved
        self.counts = Counts(function.name)
        self._environment = environment
        self._children = children
        self._child: Child | None = None
        self._ended: asyncio.Task[int] | None = None
        self._starting = asyncio.Lock()
        self._running = 0
        self._url = ""
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=5),
            limits=httpx.Limits(max_connections=None, keepalive_expiry=2),
            trust_env=False,
        )
        self._client.headers.clear()  # a proxy adds nothing of its own

    def pids(self) -> list[int]:
        """Return the process that runs now, if any."""
        return [self._child.pid] if self._child is not None and self._alive else []

    def report(self) -> dict[str, Any]:
        """Return what happened since the last reset, and how many requests run now."""
        return self.counts.report(self._running)

    async def close(self) -> None:
        """Close the connections; the process is ended with all others."""
        await self._client.aclose()

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes, context: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """Send one request; the answer's body has not been read yet.

        Raises:
            Throttled: As many requests run as ReservedConcurrentExecutions allows.
            ServerDied: There is nobody to answer.
        """
        if self._running >= self.limit:
            self.counts.throttles += 1
            raise Throttled(self.function.name)
        self._running += 1
        started, failed, timed_out = time.monotonic(), True, False
        try:
            async with asyncio.timeout(self.function.timeout + INIT_SECONDS) as wall:
                await self._started()
                wall.reschedule(asyncio.get_running_loop().time() + self.function.timeout)
                sent = [*headers, *self._contexts(context)]
                try:
                    response = await self._send(method, path, sent, body)
                except httpx.ConnectError:  # killed a moment ago: a new one takes the request
                    await self._buried()
                    await self._started()
                    response = await self._send(method, path, sent, body)
                try:
                    yield response
                    failed = False
                finally:
                    await response.aclose()
        except httpx.HTTPError as error:
            await self._buried()
            raise ServerDied(self.function.name) from error
        except TimeoutError:
            timed_out = True
            raise
        finally:
            self._running -= 1
            billed = self.counts.ended(started, failed=failed, timed_out=timed_out)
            log.line(f"invoke {self.function.name} {'failed' if failed else 'ok'} {billed} ms")

    @property
    def _alive(self) -> bool:
        return self._ended is not None and not self._ended.done()

    async def _started(self) -> None:
        """Start the server unless it runs."""
        async with self._starting:
            if self._alive:
                return
            with _reserved_port() as port:
                self._url = f"http://127.0.0.1:{port}"
                self.counts.cold_starts += 1
                self._child = await self._children.start(
                    "bash",
                    self.function.handler,
                    folder=self.function.folder,
                    environment={**self._environment, "AWS_LWA_PORT": str(port), "PORT": str(port)},
                )
                log.follow(self.function.name, self._child)
                self._ended = asyncio.create_task(self._children.ended(self._child))
                await self._ready()

    async def _send(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> httpx.Response:
        request = self._client.build_request(method, self._url + path, headers=encoded(headers), content=body)
        return await self._client.send(request, stream=True)

    async def _buried(self) -> None:
        """Make sure that a server that broke a connection still serves, or is gone for the next request."""
        async with self._starting:
            if self._child is None or self._ended is None or await self._answers():
                return
            self._children.kill(self._child)
            await asyncio.shield(self._ended)

    async def _answers(self) -> bool:
        path = self.function.variables.get("AWS_LWA_READINESS_CHECK_PATH", "/")
        try:
            return (await self._client.get(self._url + path, timeout=5)).status_code < _READY_BELOW
        except httpx.TransportError:
            return False

    async def _ready(self) -> None:
        deadline = time.monotonic() + INIT_SECONDS
        while self._alive and time.monotonic() < deadline:
            if await self._answers():
                return
            await asyncio.sleep(_POLL_SECONDS)
        if self._child is not None:
            self._children.kill(self._child)
        raise ServerDied(f"{self.function.name} did not become ready")

    def _contexts(self, request: dict[str, Any]) -> list[tuple[str, str]]:
        invocation = {
            "request_id": str(uuid.uuid4()),
            "deadline": now_ms() + int(self.function.timeout * 1000),
            "invoked_function_arn": self.function.arn,
            "xray_trace_id": None,
            "client_context": None,
            "identity": None,
            "env_config": {
                "function_name": self.function.name,
                "memory": self.function.memory,
                "version": "$LATEST",
                "log_group": f"/aws/lambda/{self.function.name}",
                "log_stream": "local",
            },
        }
        return [
            ("x-amzn-request-context", json.dumps(request)),
            ("x-amzn-lambda-context", json.dumps(invocation)),
        ]


@contextmanager
def _reserved_port() -> Iterator[int]:
    """Keep a port for a server that is about to start: whoever else got it would be taken for that server.

    On Linux a port bound with SO_REUSEADDR, and not listened at, is open to those who name it and set the
    same, as servers do (uvicorn by way of asyncio), and is given to nobody who asks for any. BSD and macOS
    refuse such a second socket the very same address, so there the port is only looked for.
    """
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        if sys.platform != "linux":
            reserved.close()
        yield port
