"""Lambda's Runtime API: what awslambdaric asks for its next event and tells the result.

One listener per process, as in Lambda, where 127.0.0.1:9001 belongs to one execution environment. The few
paths are in "Using the Lambda runtime API" of the developer guide.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from infra.local.clock import now_ms

MAX_RESPONSE = 6_291_556
"""What Lambda names when it refuses a response: 6 MB and 100 bytes."""
_TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).",
}
Outcome = tuple[bytes, bool]
"""What came of an invocation: the payload, and whether it is the function's result (not an error)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One invocation on its way through a process."""

    request_id: str
    event: bytes
    arn: str
    timeout: float
    outcome: asyncio.Future[Outcome]


@dataclass(slots=True)
class RuntimeApi:
    """The listener of one process."""

    jobs: asyncio.Queue[Job] = field(default_factory=lambda: asyncio.Queue(1))
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the process waits for its next event."""
    init_error: bytes | None = None
    current: Job | None = None
    _server: asyncio.Server | None = None
    _asking: asyncio.Task[None] | None = None

    async def listen(self) -> str:
        """Begin to listen; return the address for AWS_LAMBDA_RUNTIME_API."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        if self._asking is not None:
            self._asking.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return  # the process has gone; whoever waits for it hears that from its exit
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, *lines = head.split("\r\n")
        method, path, _ = request.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if method == "GET":
            await self._next(writer)
        else:
            _respond(writer, self._told(path.rsplit("/", 2), body))
        await writer.drain()

    async def _next(self, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        self._asking = asyncio.current_task()
        job = self.current = await self.jobs.get()
        self.asked.clear()
        unique = job.request_id.replace("-", "")
        _respond(
            writer,
            200,
            job.event,
            {
                "Lambda-Runtime-Aws-Request-Id": job.request_id,
                "Lambda-Runtime-Deadline-Ms": str(now_ms() + int(job.timeout * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": job.arn,
                "Lambda-Runtime-Trace-Id": f"Root=1-{unique[:8]}-{unique[8:]}",
                "Content-Type": "application/json",
            },
        )

    def _told(self, path: list[str], body: bytes) -> int:
        """Note what a POST says: .../init/error, or .../invocation/<request id>/(response|error)."""
        _, subject, verb = path
        if subject == "init":
            self.init_error = body
            self.asked.set()
            return 202
        if self.current is None or self.current.request_id != subject or self.current.outcome.done():
            return 400
        if len(body) > MAX_RESPONSE:
            self.current.outcome.set_result((json.dumps(_TOO_LARGE).encode(), False))
            return 413
        self.current.outcome.set_result((body, verb == "response"))
        return 202


def _respond(writer: asyncio.StreamWriter, status: int, body: bytes = b"", headers: Any = None) -> None:
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
