"""API Gateway for one machine: an ASGI application in front of the functions.

Its limits are API Gateway's and Lambda's: a body of 10 MB, an event of 6 MB, 29 seconds unless the template
says otherwise, five idle minutes for a stream. What a function does is not stopped by a client that leaves,
nor by a gateway that stopped waiting.
"""

import asyncio
import json
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.local.compression import compressed
from infra.local.errors import Throttled
from infra.local.headers import OWN, Headers, request_headers
from infra.local.log import log
from infra.local.pool import Pool
from infra.local.proxy import MalformedAnswer, Request, answer_of, context_of, event_of
from infra.local.refusals import FAILED, NO_ROUTE, THROTTLED, TIMED_OUT, TOO_LARGE, Refusal, refused
from infra.local.routes import Api, Match
from infra.local.webserver import ServerDied, WebServer

MAX_BODY = 10 * 1024 * 1024
MAX_EVENT = 6 * 1024 * 1024
MAX_ANSWER = 6 * 1024 * 1024 + 100
IDLE_SECONDS = 300.0
"""AWS documents no exception for the time before the first byte, so none is made here."""

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Local = Callable[[str, str], Awaitable[Any]]
Runner = Pool | WebServer


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


@dataclass(slots=True)
class Gateway:
    """The application. `local` answers what lies outside the stages, under /_local/."""

    apis: Mapping[str, Api]
    runners: Mapping[str, Runner]
    local: Local
    idle_seconds: float = IDLE_SECONDS
    _going_on: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request, and say so in one line."""
        if scope["type"] != "http":
            return
        started = time.monotonic()
        answer = _Answer(send, str(uuid.uuid4()))
        raw_path = scope["raw_path"].decode("latin-1").split("?", 1)[0]
        try:
            if raw_path.startswith("/_local/"):
                found = await self.local(scope["method"], raw_path)
                status = 404 if found is None else 200
                await answer.whole(status, [("content-type", "application/json")], json.dumps(found).encode())
                return
            await self._in_stage(scope, raw_path, receive, answer)
        except OSError:
            return  # the client has left
        finally:
            took = (time.monotonic() - started) * 1000
            if not raw_path.startswith("/_local/"):
                log.line(f"{scope['method']} {raw_path} {answer.status or 'no answer'} {took:.0f} ms")

    async def _in_stage(self, scope: Any, raw_path: str, receive: Receive, answer: "_Answer") -> None:
        stage, _, rest = raw_path.removeprefix("/").partition("/")
        api = self.apis.get(stage)
        if api is None:
            await answer.whole(403, [("content-type", "application/json")], b'{"message":"Forbidden"}')
            return
        body = await _body(receive)
        request = Request(
            answer.request_id,
            scope["method"],
            f"/{rest}",
            scope["query_string"].decode("latin-1"),
            request_headers(scope),
            body or b"",
            (scope.get("client") or ("127.0.0.1",))[0],
        )
        match = api.match(request.method, request.path)
        resource = match.resource if match else ""
        try:
            if body is None:
                raise _Refused(TOO_LARGE)
            if match is None or match.integration is None:
                raise _Refused(NO_ROUTE)
            await self._integrated(request, api, match, answer)
        except _Refused as why:
            await answer.whole(*refused(why.refusal, request, api, resource))

    async def _integrated(self, request: Request, api: Api, match: Match, answer: "_Answer") -> None:
        integration = match.integration
        assert integration is not None  # noqa: S101 - looked at by the caller
        if integration.function is None:
            await answer.whole(integration.mock_status, list(integration.mock_headers.items()), b"")
            return
        event = json.dumps(event_of(request, api, match), separators=(",", ":")).encode()
        if len(event) > MAX_EVENT:
            raise _Refused(TOO_LARGE)
        runner = self.runners[integration.function]
        if isinstance(runner, WebServer):
            sink = _Sink(answer, buffered=not integration.is_streamed)
            work = self._background(
                self._proxied(runner, request, context_of(request, api, match.resource), sink)
            )
            await self._relayed(sink, work, integration.timeout)
            return
        work = self._background(runner.invoke(event))
        try:
            result = await asyncio.wait_for(asyncio.shield(work), integration.timeout)
        except TimeoutError:
            raise _Refused(TIMED_OUT) from None
        except Throttled:
            raise _Refused(THROTTLED) from None
        if result.error is not None or len(result.payload) > MAX_ANSWER:
            raise _Refused(FAILED)
        try:
            status, headers, body = answer_of(result.payload, request, api)
        except MalformedAnswer:
            raise _Refused(FAILED) from None
        asked, minimum = dict(request.headers), api.minimum_compression_size
        await answer.whole(status, *compressed(headers, body, asked=asked, minimum=minimum))

    async def _proxied(
        self, server: WebServer, request: Request, context: dict[str, Any], sink: "_Sink"
    ) -> None:
        """Move a web server's answer into the sink, to its end, whether or not anybody listens."""
        path = request.path + (f"?{request.query}" if request.query else "")
        try:
            async with server.request(
                request.method, path, request.headers, request.body, context
            ) as response:
                sink.begin(response)
                async for chunk in response.aiter_raw():
                    sink.add(chunk)
            sink.end(None)
        except Throttled:
            sink.end(THROTTLED)
        except (ServerDied, TimeoutError, httpx.InvalidURL):
            sink.end(FAILED)
        finally:
            sink.end(FAILED)  # whatever else went wrong: a client must not wait; behind an end it is not read

    async def _relayed(self, sink: "_Sink", work: asyncio.Task[Any], timeout: float) -> None:
        """Send what arrives in the sink to the client."""
        try:
            async with asyncio.timeout(timeout):
                if sink.buffered:
                    await asyncio.wait([work])  # how it went is in the sink
                await sink.relay(self.idle_seconds)
        except TimeoutError:
            sink.closed = True
            if not sink.answer.begun:
                raise _Refused(TIMED_OUT) from None
        finally:
            sink.closed = True

    def _background(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._going_on.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._going_on.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Throttled):
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.line(f"gateway | {type(error).__qualname__} at {place.filename}:{place.lineno}")

    async def stop(self) -> None:
        """Give up what still runs."""
        for task in list(self._going_on):
            task.cancel()
        await asyncio.gather(*self._going_on, return_exceptions=True)


class _Answer:
    """The response to one request."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status: int | None = None

    @property
    def begun(self) -> bool:
        return self.status is not None

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        others = [(name, value) for name, value in headers if name.lower() != "content-length"]
        await self.begin(status, [*others, ("content-length", str(len(body)))])
        await self.part(body, more=False)

    async def begin(self, status: int, headers: Headers) -> None:
        self.status = status
        pairs = [("x-amzn-requestid", self.request_id), ("x-amz-apigw-id", self.request_id[:13])]
        pairs += [(name, value) for name, value in headers if name.lower() not in OWN]
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in pairs
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def part(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


class _Sink:
    """What a web server has answered and the client has not yet been sent."""

    def __init__(self, answer: _Answer, *, buffered: bool) -> None:
        self.answer = answer
        self.buffered = buffered
        self.closed = False
        self._size = 0
        self._parts: asyncio.Queue[httpx.Response | bytes | Refusal | None] = asyncio.Queue()

    def begin(self, response: httpx.Response) -> None:
        self._parts.put_nowait(response)

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if not self.closed:
            self._parts.put_nowait(chunk)

    def end(self, refusal: Refusal | None) -> None:
        self._parts.put_nowait(refusal)

    async def relay(self, idle_seconds: float) -> None:
        """Send all of it. An answer that breaks off is left without its end, so that the client notices."""
        if self.buffered and self._size > MAX_ANSWER:
            raise _Refused(FAILED)
        while True:
            part = await asyncio.wait_for(self._parts.get(), idle_seconds)
            if isinstance(part, httpx.Response):
                await self.answer.begin(part.status_code, part.headers.multi_items())
            elif isinstance(part, bytes):
                await self.answer.part(part, more=True)
            elif part is None:
                await self.answer.part(b"", more=False)
                return
            elif self.answer.begun:
                return
            else:
                raise _Refused(part)


async def _body(receive: Receive) -> bytes | None:
    """Read a request's body to its end; None when it is larger than API Gateway takes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            parts.append(chunk)
        if not message.get("more_body"):
            return b"".join(parts) if size <= MAX_BODY else None
