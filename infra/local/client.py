"""The local stack from Python: the same program that `make up` runs, in a process of its own."""

import collections
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

import boto3

from infra.local.errors import LocalStackError
from infra.local.options import REGION, caller_environment

_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60
_STOP_SECONDS = 10


@dataclass(slots=True)
class LocalStack:
    """A local stack for as long as a `with` block lasts.

    `environment` is added to every function's own; `caller` replaces the environment of the stack's process
    (where MODEL_BASE_URL, LOCAL_SCHEDULE_SECONDS and the like come from) and defaults to the present one.
    """

    template: Path = _ROOT / "template.yaml"
    port: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    max_concurrency: int | None = None
    schedule_seconds: float | None = None
    caller: Mapping[str, str] | None = None
    url: str = field(default="", init=False)
    """Base URL with the stage, such as http://127.0.0.1:8787/v1."""
    aws_url: str = field(default="", init=False)
    """The moto server's endpoint."""
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    _lines: "collections.deque[str]" = field(
        default_factory=lambda: collections.deque(maxlen=5000), init=False
    )
    _reader: threading.Thread | None = field(default=None, init=False)
    _resources: dict[str, str] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        command = [
            sys.executable,
            "-m",
            "infra.local",
            "--template",
            str(self.template),
            "--port",
            str(self.port),
            "--attached",
        ]
        for option, pairs in (("--parameter", self.parameters), ("--env", self.environment)):
            command += [part for name, value in pairs.items() for part in (option, f"{name}={value}")]
        if self.max_concurrency is not None:
            command += ["--max-concurrency", str(self.max_concurrency)]
        if self.schedule_seconds is not None:
            command += ["--schedule-seconds", str(self.schedule_seconds)]
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            command,
            cwd=_ROOT,
            env=dict(caller_environment() if self.caller is None else self.caller),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        if not ready.wait(_START_SECONDS) or not self.url:
            self._stop()
            raise LocalStackError("\n".join(["the local stack did not start", *self._lines]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The stack's own process."""
        assert self._process is not None  # noqa: S101 - inside the block
        return self._process.pid

    @property
    def log(self) -> list[str]:
        """The last lines that the stack and its functions printed."""
        return list(self._lines)

    def boto(self, service: str) -> Any:
        """Return a boto3 client of the stack's AWS; its calls are metered as those of `test`."""
        return boto3.client(  # type: ignore[call-overload]  # any service, by name
            service,
            region_name=REGION,
            endpoint_url=self.aws_url,
            aws_access_key_id="local-test",
            aws_secret_access_key="local",  # noqa: S106 - moto looks at none
        )

    def processes(self) -> list[dict[str, Any]]:
        """Return `{"name", "pid"}` of every running function process; names are logical ids."""
        found: list[dict[str, Any]] = self.ask("processes")
        return found

    def kill(self, name: str) -> list[int]:
        """SIGKILL every process of a function; return their ids."""
        pids = [process["pid"] for process in self.processes() if process["name"] == name]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def physical_id(self, name: str) -> str:
        """Return what `Ref` gives for a logical id: a table's name, a queue's URL."""
        return str(self.ask("stack")["resources"][name])

    def calls(self) -> list[dict[str, Any]]:
        """Return the AWS calls since the last reset: caller, service, operation, table, units and bytes."""
        found: list[dict[str, Any]] = self.ask("calls")["calls"]
        return found

    def moto_seconds(self) -> float:
        """Return the processor time that the moto server took since the last reset."""
        return float(self.ask("calls")["cpu_seconds"])

    def invocations(self) -> dict[str, dict[str, Any]]:
        """Return what happened to each function since the last reset, by logical id."""
        return {counts["name"]: counts for counts in self.ask("invocations")["invocations"]}

    def reset_calls(self) -> None:
        """Set calls and invocations back to nothing."""
        self.ask("calls", method="DELETE")

    def ask(self, what: str, *, method: str = "GET") -> Any:
        """Return the answer of /_local/<what>."""
        root = self.url.rsplit("/", 1)[0]
        with urlopen(Request(f"{root}/_local/{what}", method=method), timeout=10) as answer:  # noqa: S310 - http
            return json.load(answer)

    def _read(self, ready: threading.Event) -> None:
        assert self._process is not None  # noqa: S101 - just started
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        for line in self._process.stdout:
            self._lines.append(line.rstrip())
            if line.startswith("aws http"):
                self.aws_url = line.split()[1]
            elif line.startswith("ready ") and not self.url:
                self.url = line.split()[1]
                ready.set()
        ready.set()

    def _stop(self) -> None:
        assert self._process is not None  # noqa: S101 - started
        assert self._reader is not None  # noqa: S101 - started
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_STOP_SECONDS)
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        self._process.stdout.close()
        self._process.stdin.close()
