"""The service as the command line meets it: real HTTP on loopback, answering what a test scripted."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from meanwhile.settings import ClientSettings

Json = dict[str, Any]
ID = f"resp_{'a' * 48}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; a text body is sent as it is."""

    body: Json | str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection closes, and nothing was said."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    call: str
    """Method and path with its query: `GET /v1/models`."""
    headers: Mapping[str, str]
    body: Json | None


Script = Json | Answer | HangUp


@dataclass(slots=True)
class FakeService:
    """Answers a call with the next of its scripts, and with the last one for ever."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _scripts: dict[str, list[Script]] = field(default_factory=dict)

    def on(self, call: str, *scripts: Script) -> None:
        """Script the answers to a call such as `GET /responses/resp_1`."""
        self._scripts[call] = list(scripts)

    def answer(self, asked: Asked) -> Answer | HangUp:
        """Return what to answer; called by the server's threads."""
        self.asked.append(asked)
        scripts = self._scripts.get(asked.call.replace(" /v1", " "))
        if not scripts:
            return Answer({"error": {"message": "Unknown URL.", "code": "unknown_url"}}, 404)
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return Answer(script) if isinstance(script, dict) else script

    @property
    def settings(self) -> ClientSettings:
        """How a client finds it."""
        return ClientSettings(url=self.url)


@contextmanager
def serving() -> Iterator[FakeService]:
    """Run one for as long as the block lasts."""
    service = FakeService()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(service.answer)) as server:
        server.daemon_threads = True
        service.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield service
        server.shutdown()
        thread.join()


def _handler_for(answer: Callable[[Asked], Answer | HangUp]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            given = answer(Asked(f"{self.command} {self.path}", headers, json.loads(body) if body else None))
            if isinstance(given, HangUp):
                self.close_connection = True
                return
            content = given.body if isinstance(given.body, str) else json.dumps(given.body)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content.encode())))
            self.end_headers()
            self.wfile.write(content.encode())

        do_GET = do_POST = do_DELETE = _do  # noqa: N815  # the base class calls them so

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            """Keep test output readable."""

    return Handler


def response(status: str, *texts: str, lost: int = 0, **more: Any) -> Json:
    """Return a response whose messages have these texts, behind `lost` ones that were given up."""
    given_up = [message(number, status="incomplete") for number in range(lost)]
    said = [message(number, text) for number, text in enumerate(texts, lost)]
    usage = {"output_tokens": 7} if status == "completed" else None
    return {
        "id": ID,
        "object": "response",
        "created_at": 1_800_000_000,
        "completed_at": 1_800_000_004 if status == "completed" else None,
        "status": status,
        "model": "simulator",
        "output": [*given_up, *said],
        "error": None,
        "incomplete_details": None,
        "usage": usage,
    } | more


def message(number: int, *texts: str, status: str = "in_progress") -> Json:
    """Return one message; without a text it has no content, as one has that was given up."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def refusal(status: int, text: str, **headers: str) -> Answer:
    """Return an error in the API's shape."""
    body = {"error": {"message": text, "type": "invalid_request_error", "param": None, "code": None}}
    return Answer(body, status, {name.replace("_", "-"): value for name, value in headers.items()})
