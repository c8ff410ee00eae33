"""Any endpoint that speaks the chat completions API: OpenAI, vLLM, Ollama, LiteLLM and many more."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from httpx_sse import EventSource

from meanwhile.domain.errors import ProviderBroken, ProviderRejected
from meanwhile.domain.model_events import ModelEvent, TextDelta
from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import ModelEntry
from meanwhile.providers.chat_errors import error_of_status
from meanwhile.providers.chat_events import ChunkReader
from meanwhile.providers.chat_request import body_of
from meanwhile.providers.echo import Echo
from meanwhile.providers.surrogates import healed

_CONNECT_SECONDS = 10.0
_AFTER_THE_END_SECONDS = 5.0
"""The usage comes right behind the finish reason; an answer that is there waits no longer for it."""
_LARGEST_EVENT = 10_000_000
_LARGEST_ERROR = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCompletions:
    """One upstream. Every stream opens a connection of its own, so closing a stream closes nothing else.

    It may be used from any event loop: nothing but settings is kept between two streams.
    """

    base_url: str
    api_key: str
    entry: ModelEntry
    first_token_seconds: float
    """How long it may take until the model says anything at all; signs of life do not count."""
    gap_seconds: float
    """How long it may then be silent; any byte counts as life, comments too."""
    count_text: Callable[[str], int]
    """Counts by the entry's vocabulary."""

    def count(self, text: str) -> int:
        """Estimate what a text has cost; see `Provider.count`."""
        return self.count_text(text)

    async def stream(self, request: Request, beginning: str = "") -> AsyncGenerator[ModelEvent, None]:
        """Ask once; see `Provider.stream` for the promise."""
        echo = Echo(beginning if self.entry.continuation == "prefix_echoed" else "")
        async with aclosing(self._said(request, beginning)) as events:
            async for event in events:
                text = echo.feed(event.text) if isinstance(event, TextDelta) else echo.rest()
                if text:
                    yield TextDelta(text)
                if not isinstance(event, TextDelta):
                    yield event

    async def _said(self, request: Request, beginning: str) -> AsyncGenerator[ModelEvent, None]:
        body = healed(json.dumps(body_of(request, self.entry, beginning), ensure_ascii=False)).encode()
        patience = _Patience(self.first_token_seconds, self.gap_seconds)
        reader = ChunkReader()
        try:
            async with aclosing(self._chunks(body, patience)) as chunks:
                async for chunk in chunks:
                    for event in reader.read(chunk):
                        patience.model_spoke()
                        yield event
                    if reader.ended:
                        patience.model_ended()
        except ProviderBroken:
            if not reader.ended:
                raise
        for event in reader.last():
            yield event

    async def _chunks(self, body: bytes, patience: "_Patience") -> AsyncGenerator[str, None]:
        with _errors_translated():
            async with (
                self._answer(body, patience) as response,
                aclosing(EventSource(response).aiter_sse()) as events,
            ):
                async for event in events:
                    if event.data == "[DONE]":
                        return
                    if event.data:
                        yield event.data

    @asynccontextmanager
    async def _answer(self, body: bytes, patience: "_Patience") -> AsyncIterator[httpx.Response]:
        """Post the body and hand out an answer that is an event stream, and nothing else."""
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream",
            "accept-encoding": "identity",
        }
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS, write=self.gap_seconds)
        async with httpx.AsyncClient(timeout=timeout, verify=_tls(self.base_url)) as client:
            request = client.build_request(
                "POST", f"{self.base_url.rstrip('/')}/chat/completions", content=body, headers=headers
            )
            try:
                async with patience.next_bytes():
                    response = await client.send(request, stream=True)
            except TimeoutError:
                raise patience.exhausted() from None
            try:
                if not isinstance(response.stream, httpx.AsyncByteStream):
                    raise ProviderBroken("The provider's answer cannot be streamed.")
                response.stream = _Watched(response.stream, patience)
                if response.status_code != HTTPStatus.OK:
                    raise error_of_status(response.status_code, response.headers, await _error_in(response))
                if "text/event-stream" not in response.headers.get("content-type", ""):
                    raise ProviderBroken("The provider's answer is not an event stream.")
                yield response
            finally:
                await response.aclose()


class _Patience:
    """Until when the next bytes must come. The clock is the event loop's own."""

    def __init__(self, first_token_seconds: float, gap_seconds: float) -> None:
        self._first = asyncio.get_running_loop().time() + first_token_seconds
        self._gap = gap_seconds
        self._spoken = False

    def model_spoke(self) -> None:
        """From the model's first word on, only silence is too long."""
        self._spoken = True

    def model_ended(self) -> None:
        """Wait no longer than a moment for what may still come: the usage."""
        self._spoken = True
        self._gap = min(self._gap, _AFTER_THE_END_SECONDS)

    def next_bytes(self) -> asyncio.Timeout:
        """Return what to wait in for the next sign of life; made for every piece, so nothing but a timer."""
        until = asyncio.get_running_loop().time() + self._gap if self._spoken else self._first
        return asyncio.timeout_at(until)

    def exhausted(self) -> ProviderBroken:
        """Return the error of a sign of life that did not come in time."""
        what = "stopped sending" if self._spoken else "did not begin to answer in time"
        return ProviderBroken(f"The provider {what}.")


class _Watched(httpx.AsyncByteStream):
    """A body whose silences and events are bounded."""

    def __init__(self, body: httpx.AsyncByteStream, patience: _Patience) -> None:
        self._body = body
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._body)
        size, before = 0, b""
        while True:
            try:
                async with self._patience.next_bytes():
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise self._patience.exhausted() from None
            if piece is None:
                return
            size += len(piece)
            window = before + piece
            if b"\n\n" in window or b"\r\n\r\n" in window:
                size = 0
            if size > _LARGEST_EVENT:
                raise ProviderBroken("The provider sent an event that is too large.")
            before = window[-3:]
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


async def _error_in(response: httpx.Response) -> Any:
    """Return the error object of a refusal, None if it has none that can be read."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _LARGEST_ERROR:
            return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document.get("error", document) if isinstance(document, Mapping) else None


@cache
def _certificates() -> ssl.SSLContext:
    """Load the certificate authorities once per process: it costs tens of milliseconds."""
    return httpx.create_ssl_context()


def _tls(base_url: str) -> ssl.SSLContext:
    """Return the context to connect with; for plain HTTP an empty one, which trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if base_url.startswith("http://") else _certificates()


@contextmanager
def _errors_translated() -> Iterator[None]:
    """Let no httpx exception past this module, nor its message, which may hold a URL."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise ProviderRejected("MODEL_BASE_URL is not a URL.") from error
    except httpx.UnsupportedProtocol as error:
        raise ProviderRejected("MODEL_BASE_URL is not an http or https URL.") from error
    except httpx.HTTPError as error:
        raise ProviderBroken(f"The connection to the provider failed ({type(error).__name__}).") from error
