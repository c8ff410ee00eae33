"""One execution environment: a process of a function, which serves one event at a time.

As on Lambda it is frozen between events: a thread that outlives its handler stands still until the next one.
"""

import asyncio
import json
import signal
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.children import Child, Children
from infra.local.functions import Function
from infra.local.log import log
from infra.local.runtime_api import Job, RuntimeApi

INIT_SECONDS = 30.0
"""Lambda allows 10 and then tries again at invocation; a busy laptop may need a little more in one go."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one invocation."""

    payload: bytes
    error: str | None = None
    """The errorType, or None when the handler returned."""

    @classmethod
    def failed(cls, kind: str, message: str) -> "Result":
        """Return a failure as Lambda words it."""
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), kind)


class NotTaken(Exception):
    """The process ended before it took the event, so another may have it."""


class Environment:
    """A process of a function. Use: `start`, then `invoke` again and again, until `alive` is false."""

    def __init__(self, function: Function, children: Children) -> None:
        self.function = function
        self._children = children
        self._api = RuntimeApi()
        self._child: Child | None = None
        self._ended: asyncio.Task[int] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether it can still be given events."""
        return self._ended is not None and not self._ended.done()

    async def start(
        self, environment: dict[str, str], on_end: Callable[["Environment"], None]
    ) -> Result | None:
        """Start the process and wait until it asks for an event; return the failure if it does not."""
        address = await self._api.listen()
        self._child = await self._children.start(
            sys.executable,
            "-m",
            "awslambdaric",
            self.function.handler,
            folder=self.function.folder,
            environment={**environment, "AWS_LAMBDA_RUNTIME_API": address},
        )
        log.follow(self.function.name, self._child)
        self._ended = asyncio.create_task(self._children.ended(self._child))
        self._ended.add_done_callback(lambda _: self._api.close())
        self._ended.add_done_callback(lambda _: on_end(self))
        asked = asyncio.create_task(self._api.asked.wait())
        await asyncio.wait({asked, self._ended}, timeout=INIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if self._api.init_error is not None:
            self.kill()
            return Result(
                self._api.init_error, json.loads(self._api.init_error).get("errorType", "Runtime.InitError")
            )
        if not self.alive:
            return Result.failed(
                "Runtime.ExitError", f"Runtime exited during init: {self._running.process.returncode}"
            )
        if not self._api.asked.is_set():
            self.kill()
            return Result.failed("Sandbox.Timedout", f"Init timed out after {INIT_SECONDS:.2f} seconds")
        return None

    async def invoke(self, event: bytes) -> Result:
        """Give the process one event and wait for what comes of it. Kills it when it overruns.

        Raises:
            NotTaken: It had ended already.
        """
        if not self.alive:
            raise NotTaken
        outcome: asyncio.Future[tuple[bytes, bool]] = asyncio.get_running_loop().create_future()
        job = Job(str(uuid.uuid4()), event, self.function.arn, self.function.timeout, outcome)
        self._children.kill(self._running, signal.SIGCONT)
        self._api.jobs.put_nowait(job)
        either: set[asyncio.Future[Any]] = {outcome, self._end}
        await asyncio.wait(either, timeout=self.function.timeout, return_when=asyncio.FIRST_COMPLETED)
        if outcome.done():
            await self._rest()
            payload, returned = outcome.result()
            return Result(payload, None if returned else _error_type(payload))
        if not self.alive:
            if self._api.current is not job:
                raise NotTaken
            message = f"RequestId: {job.request_id} Error: Runtime exited: {self._running.process.returncode}"
            return Result.failed("Runtime.ExitError", message)
        self.kill()
        message = f"{job.request_id} Task timed out after {self.function.timeout:.2f} seconds"
        return Result.failed("Sandbox.Timedout", message)

    def kill(self) -> None:
        """End the process now."""
        self._children.kill(self._running)

    async def _rest(self) -> None:
        """Freeze once the runtime waits for its next event, which follows its answer within a moment."""
        asked = asyncio.create_task(self._api.asked.wait())
        await asyncio.wait({asked, self._end}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        self._children.kill(self._running, signal.SIGSTOP)

    @property
    def _running(self) -> Child:
        assert self._child is not None  # noqa: S101 - start() comes first
        return self._child

    @property
    def _end(self) -> asyncio.Task[int]:
        assert self._ended is not None  # noqa: S101 - start() comes first
        return self._ended


def _error_type(payload: bytes) -> str:
    try:
        told = json.loads(payload)
    except ValueError:
        return "Unhandled"
    return str(told.get("errorType", "Unhandled")) if isinstance(told, dict) else "Unhandled"
