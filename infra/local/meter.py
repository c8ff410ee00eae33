"""Counts every AWS call that reaches the moto server, by caller, service, operation and table.

The caller is read from the access key id: the local stack gives each function `local-<logical id>`. Long
polls count as calls, their waiting does not count as time.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/")
_WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PATH = "/_local/calls"


@dataclass(slots=True)
class Call:
    """One request while it is being answered; what it costs is added along the way."""

    caller: str
    service: str
    operation: str
    table: str = ""
    write_units: float = 0
    read_units: float = 0
    bytes: int = 0
    waited: float = 0


@dataclass(slots=True)
class Total:
    """All calls of one kind since the last reset."""

    count: int = 0
    write_units: float = 0
    read_units: float = 0
    bytes: int = 0
    seconds: float = 0


@dataclass(slots=True)
class Meter:
    """The totals, and which call each thread is answering now."""

    _totals: dict[tuple[str, str, str, str], Total] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.local = field(default_factory=threading.local)
    _cpu_before: float = 0

    @property
    def call(self) -> Call:
        """The call that this thread is answering."""
        found: Call | None = getattr(self._thread, "call", None)
        return found or Call("", "", "")

    def begin(self, call: Call) -> None:
        """Make this the call of the thread."""
        self._thread.call = call

    def end(self, seconds: float) -> None:
        """Add the thread's call to the totals."""
        call = self.call
        with self._lock:
            total = self._totals.setdefault((call.caller, call.service, call.operation, call.table), Total())
            total.count += 1
            total.write_units += call.write_units
            total.read_units += call.read_units
            total.bytes += call.bytes
            total.seconds += max(0.0, seconds - call.waited)

    def report(self) -> dict[str, Any]:
        """Return the totals as `GET /_local/calls` answers them."""
        with self._lock:
            calls = [
                {
                    "caller": caller,
                    "service": service,
                    "operation": operation,
                    **({"table": table} if table else {}),
                    "count": total.count,
                    "write_units": total.write_units,
                    "read_units": total.read_units,
                    "bytes": total.bytes,
                    "seconds": round(total.seconds, 6),
                }
                for (caller, service, operation, table), total in sorted(self._totals.items())
            ]
            seconds = sum(total.seconds for total in self._totals.values())
            cpu = time.process_time() - self._cpu_before
        return {
            "calls": calls,
            "seconds": round(seconds, 6),
            "cpu_seconds": round(cpu, 6),
        }

    def reset(self) -> None:
        """Start again from nothing."""
        with self._lock:
            self._totals.clear()
            self._cpu_before = time.process_time()


@dataclass(frozen=True, slots=True)
class Metered:
    """A WSGI application in front of moto: counts, and answers the meter's own path."""

    app: _WSGI
    meter: Meter

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] == PATH:
            return self._answer(environ["REQUEST_METHOD"], start_response)
        self.meter.begin(_call_of(environ))
        started = time.perf_counter()
        try:
            return self.app(environ, start_response)
        finally:
            self.meter.end(time.perf_counter() - started)

    def _answer(self, method: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if method == "DELETE":
            self.meter.reset()
        body = json.dumps(self.meter.report()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _call_of(environ: dict[str, Any]) -> Call:
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, service = (found["key"], found["service"]) if found else ("unsigned", "unknown")
    size = int(environ.get("CONTENT_LENGTH") or 0)
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    operation = target.rpartition(".")[2] or _rest_operation(service, environ)
    return Call(key.removeprefix("local-"), service, operation, bytes=0 if service == "dynamodb" else size)


def _rest_operation(service: str, environ: dict[str, Any]) -> str:
    method: str = environ["REQUEST_METHOD"]
    if service != "s3":
        return method
    _, _, key = environ["PATH_INFO"].strip("/").partition("/")
    if method == "POST" and "delete" in environ.get("QUERY_STRING", ""):
        return "DeleteObjects"
    return f"{method.capitalize()}{'Object' if key else 'Bucket'}"
