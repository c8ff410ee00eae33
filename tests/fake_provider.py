"""A model provider for tests: real HTTP and SSE on loopback, doing exactly what a test scripted.

    with FakeProvider(says("Hello", " world")) as provider:
        ...                                  # MODEL_BASE_URL=provider.base_url, from any process
    provider.exchanges[0].body               # what was asked
    provider.exchanges[0].closed.wait(5)     # the client has hung up

Each request takes the next script; when none is left, `default` answers. Nothing here sleeps: a silence lasts
until its event is set, or until the client hangs up.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]
PATIENCE = 30.0
"""No wait in here is longer: a broken test fails, it does not hang."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are: malformed chunks, comments, half an event."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing, until `until` is set. `reached` tells the test that the silence has begun."""

    until: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks off in mid-stream."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer that is not a stream: a refusal, an outage, a wrong content type."""

    status: int
    body: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """`data: [DONE]`."""


Step = Json | Raw | Silence | Cut | Answer | Done
Script = Sequence[Step]


@dataclass(slots=True)
class Exchange:
    """One request as it arrived, and what became of its connection."""

    path: str
    headers: Mapping[str, str]
    body: Json
    closed: threading.Event = field(default_factory=threading.Event)
    """The client closed the connection, whether or not the answer was at its end."""
    answered: threading.Event = field(default_factory=threading.Event)
    """The script was played to its end; stays unset if the client left before."""


def chunk(delta: Json, *, finish: str | None = None) -> Json:
    """Return one chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "fake", "choices": [choice]}


def text(*pieces: str) -> list[Step]:
    """Return a chunk for every piece of an answer."""
    return [chunk({"content": piece}) for piece in pieces]


def end(finish: str = "stop", *, prompt: int = 7, completion: int = 3, **usage: Any) -> list[Step]:
    """Return the finish reason, the usage and `[DONE]`."""
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, **usage}
    return [
        chunk({}, finish=finish),
        {"object": "chat.completion.chunk", "choices": [], "usage": counted},
        Done(),
    ]


def says(*pieces: str, finish: str = "stop") -> list[Step]:
    """Return a whole answer."""
    return [chunk({"role": "assistant", "content": ""}), *text(*pieces), *end(finish)]


def calls(name: str, arguments: str, *, call_id: str = "call_fake1", pieces: int = 3) -> list[Step]:
    """Return an answer that calls one function, its arguments in pieces."""
    step = max(1, len(arguments) // pieces)
    fragments = [arguments[at : at + step] for at in range(0, len(arguments), step)]
    start = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": each}} for each in fragments]
    return [*(chunk({"tool_calls": [each]}) for each in [start, *more]), *end("tool_calls")]


@dataclass(frozen=True, slots=True)
class Continuing:
    """A model that always says the same, and goes on from the beginning of it; a `default` of the server.

    Each way of asking for it is known to one kind of server, and refused or ignored by the others.
    """

    answer: str
    way: str
    """As in the catalogue. With "none" the beginning is one more message, and the answer begins anew."""
    breaks_at: Sequence[int] = ()
    """Of the first calls: characters of the whole answer at which the connection breaks off."""
    pieces: int = 3
    """Characters of a chunk."""
    asked: list[Json] = field(default_factory=list)

    def __call__(self, body: Json) -> Script:
        """Return the rest of the answer, or a refusal."""
        self.asked.append(body)
        if not self._is_understood(body):
            return [Answer(400, {"error": {"type": "invalid_request_error"}})]
        last = body["messages"][-1]
        beginning = last["content"] if last["role"] == "assistant" and self.way != "none" else ""
        kept = beginning.rstrip()  # as prompt templates do
        breaks = self.breaks_at[len(self.asked) - 1 :][:1]
        rest = self.answer.removeprefix(kept)[: breaks[0] - len(kept) if breaks else None]
        said = beginning + rest if self.way == "prefix_echoed" else rest
        chunks = text(*(said[at : at + self.pieces] for at in range(0, len(said), self.pieces)))
        if breaks:
            return [*chunks, Cut()]
        return [*chunks, *end(prompt=7 + len(kept.split()), completion=len(rest.split()))]

    def _is_understood(self, body: Json) -> bool:
        last = body["messages"][-1]
        if last["role"] != "assistant":
            return not body.get("continue_final_message")
        match self.way:
            case "prefix" | "prefix_echoed":
                return last.get("prefix") is True
            case "continue_final_message":
                return bool(body.get("continue_final_message")) and body.get("add_generation_prompt") is False
        return True


class FakeProvider:
    """The server. Enter it to start, leave it to stop; `base_url` goes into MODEL_BASE_URL."""

    def __init__(self, *scripts: Script, default: Callable[[Json], Script] | None = None) -> None:
        self.exchanges: list[Exchange] = []
        self._scripts = list(scripts)
        self._default = default or (lambda _: says("Hello", " from", " the", " fake."))
        self._arrived = threading.Condition()
        self._silences: list[Silence] = []
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def base_url(self) -> str:
        """The value for MODEL_BASE_URL; valid as soon as the object exists."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, *scripts: Script) -> None:
        """Add answers for the next requests."""
        with self._arrived:
            self._scripts += scripts

    def wait_for(self, requests: int) -> list[Exchange]:
        """Return the exchanges once so many requests have arrived."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.exchanges) >= requests, PATIENCE):
                raise AssertionError(f"{len(self.exchanges)} of {requests} requests arrived")
            return list(self.exchanges)

    def accept(self, exchange: Exchange) -> Script:
        """Record a request and return what to answer; called by the server's threads."""
        with self._arrived:
            self.exchanges.append(exchange)
            script = self._scripts.pop(0) if self._scripts else self._default(exchange.body)
            self._silences += [step for step in script if isinstance(step, Silence)]
            self._arrived.notify_all()
            return script

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for silence in self._silences:
            silence.until.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is what many tests are about."""


def _handler_for(provider: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        cut = False

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            exchange = Exchange(self.path, dict(self.headers.items()), body)
            self.close_connection = True
            script = provider.accept(exchange)
            watcher = threading.Thread(target=self._watch, args=(exchange, script), daemon=True)
            watcher.start()
            with suppress(OSError):
                self._play(script, exchange)
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RD if self.cut else socket.SHUT_WR)
            watcher.join(PATIENCE)
            if self.cut:
                self._reset()

        def _watch(self, exchange: Exchange, script: Script) -> None:
            """Learn at once when the client hangs up; one that was silent on purpose need wait no more."""
            with suppress(OSError):
                while self.connection.recv(1024):
                    pass
            if self.cut:
                return
            exchange.closed.set()
            for step in script:
                if isinstance(step, Silence):
                    step.until.set()

        def _play(self, script: Iterable[Step], exchange: Exchange) -> None:
            streaming = False
            for step in script:
                if isinstance(step, Answer):
                    self._whole(step)
                    continue
                if not streaming:
                    self._begin_stream()
                    streaming = True
                match step:
                    case Silence():
                        step.reached.set()
                        step.until.wait(PATIENCE)
                        if exchange.closed.is_set():
                            return
                    case Cut():
                        self.cut = True
                        return
                    case Raw():
                        self._send(step.data)
                    case Done():
                        self._send(b"data: [DONE]\n\n")
                    case _:
                        self._send(f"data: {json.dumps(step)}\n\n".encode())
            if streaming:
                self.wfile.write(b"0\r\n\r\n")
            exchange.answered.set()

        def _begin_stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()

        def _send(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def _whole(self, answer: Answer) -> None:
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"content-type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _reset(self) -> None:
            """Close with a reset, as a crashed server or a dropped route does."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # now, whoever else still holds the socket object

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            """Keep test output readable."""

    return Handler
