"""The execution environments of one function: warm ones first, cold ones up to a limit, none beyond it."""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

from infra.local.children import Children
from infra.local.errors import Throttled
from infra.local.functions import Function
from infra.local.log import log
from infra.local.runtime import Environment, NotTaken, Result


@dataclass(slots=True)
class Counts:
    """What happened to a function since the last reset."""

    name: str
    invocations: int = 0
    cold_starts: int = 0
    errors: int = 0
    timeouts: int = 0
    throttles: int = 0
    billed_ms: int = 0
    messages: int = 0
    """Queue messages that the invocations carried; divide for messages per invocation."""

    def ended(self, started: float, *, failed: bool, timed_out: bool) -> int:
        """Count an invocation that began at `started` (monotonic); return its billed milliseconds."""
        billed = max(1, -int(-(time.monotonic() - started) * 1000 // 1))
        self.invocations += 1
        self.errors += failed
        self.timeouts += timed_out
        self.billed_ms += billed
        return billed

    def report(self, running: int) -> dict[str, Any]:
        """Return the counts as `GET /_local/invocations` answers them."""
        return {**asdict(self), "running": running}


class Pool:
    """Runs a handler function. `invoke` is Lambda's Invoke."""

    def __init__(
        self, function: Function, environment: dict[str, str], children: Children, limit: int
    ) -> None:
        self.function = function
        self.limit = limit
        self.counts = Counts(function.name)
        self._environment = environment
        self._children = children
        self._all: set[Environment] = set()
        self._warm: list[Environment] = []
        self._busy = 0
        self._freed = asyncio.Condition()

    def pids(self) -> list[int]:
        """Return the processes that run now."""
        return [environment.pid for environment in self._all if environment.alive]

    def report(self) -> dict[str, Any]:
        """Return what happened since the last reset, and how many executions run now."""
        return self.counts.report(self._busy)

    async def until_free(self) -> None:
        """Wait until an execution could start."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._busy < self.limit)

    async def invoke(self, event: bytes, *, messages: int = 0) -> Result:
        """Run the function once.

        Raises:
            Throttled: As many executions run as may.
        """
        if self._busy >= self.limit:
            self.counts.throttles += 1
            raise Throttled(self.function.name)
        self._busy += 1
        started = time.monotonic()
        try:
            result, cold = await self._run(event)
        finally:
            self._busy -= 1
            async with self._freed:
                self._freed.notify_all()
        self.counts.cold_starts += cold
        self.counts.messages += messages
        billed = self.counts.ended(
            started, failed=result.error is not None, timed_out=result.error == "Sandbox.Timedout"
        )
        size = f" {messages} messages" if messages else ""
        log.line(
            f"invoke {self.function.name} {result.error or 'ok'} {billed} ms{' cold' if cold else ''}{size}"
        )
        return result

    async def _run(self, event: bytes) -> tuple[Result, bool]:
        while True:
            environment, cold = self._take_warm(), False
            if environment is None:
                environment, cold = Environment(self.function, self._children), True
                self._all.add(environment)
                if (failure := await environment.start(self._environment, self._forget)) is not None:
                    return failure, cold
            try:
                result = await environment.invoke(event)
            except NotTaken:
                continue
            if environment.alive and result.error != "Sandbox.Timedout":
                self._warm.append(environment)
            return result, cold

    def _take_warm(self) -> Environment | None:
        while self._warm:
            if (environment := self._warm.pop()).alive:
                return environment
        return None

    def _forget(self, environment: Environment) -> None:
        self._all.discard(environment)
        if environment in self._warm:
            self._warm.remove(environment)
