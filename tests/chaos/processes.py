"""Forked processes: warm from the start, so that a killed worker costs milliseconds and not a second."""

import gc
import json
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.wire import DEATHS, Strike, Wire

_LONGEST_SECONDS = 60

Tell = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Said:
    """What a process told before it ended."""

    name: str
    calls: list[str] = field(default_factory=list)
    struck: list[int] = field(default_factory=list)
    """Which of its strikes have met it."""
    result: Any = None
    refused: str | None = None
    """The error of our own family that it ended with."""
    wrong: list[str] = field(default_factory=list)
    """What no process should ever say: a traceback, an error that nobody expected."""
    has_ended: bool = False
    """Whether it came to its own end."""
    died: bool = False
    """Whether one of its strikes was its death."""


class Process:
    """A copy of this process that does one thing, and tells of it."""

    def __init__(self, name: str, run: Callable[[Wire, Tell], Any], strikes: Sequence[Strike] = ()) -> None:
        if threading.active_count() > 1:
            raise RuntimeError("a process with threads must not be forked: their locks would never open")
        self.name = name
        self._strikes = strikes
        self._heard = b""
        self.has_ended = False
        self._told, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._told)
            _live(told, run, strikes)
        os.close(told)

    def until_paused(self) -> Strike | None:
        """Wait until it pauses or ends; return the strike that paused it, or nothing if it has ended."""
        if self.has_ended:
            return None
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.has_ended = True
            return None
        # It told before it stopped, so this does not wait; the rest of the pipe is read at its end.
        self._heard += os.read(self._told, 1 << 20)
        return self._strikes[self._said().struck[-1]]

    def resume(self) -> None:
        """Let it go on, if it has not been to its end."""
        if not self.has_ended:
            os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it, paused or not, and forget it."""
        if not self.has_ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._told)

    def said(self) -> Said:
        """Return what it told; it has ended."""
        with os.fdopen(self._told, "rb") as rest:
            self._heard += rest.read()
        said = self._said()
        if not (said.has_ended or said.wrong):
            said.died = any(self._strikes[index].blow in DEATHS for index in said.struck)
        if not (said.has_ended or said.wrong or said.died):
            said.wrong.append(f"{self.name}: ended without a word")
        return said

    def _said(self) -> Said:
        said = Said(self.name)
        for line in self._heard.splitlines():
            for kind, value in json.loads(line).items():
                match kind:
                    case "call":
                        said.calls.append(value)
                    case "struck":
                        said.struck.append(value)
                    case "wrong":
                        said.wrong.append(f"{self.name}: {value}")
                    case "refused":
                        said.refused = value
                    case "result":
                        said.result, said.has_ended = value, True
        return said


def _live(told: int, run: Callable[[Wire, Tell], Any], strikes: Sequence[Strike]) -> None:
    """Be the forked process: never returns, and runs nothing of what its parent would at exit."""

    def tell(fact: dict[str, Any]) -> None:
        os.write(told, json.dumps(fact).encode() + b"\n")

    try:
        gc.disable()  # what it would look through is shared with the parent until somebody touches it
        signal.alarm(_LONGEST_SECONDS)
        wire = Wire(tell, strikes)
        wire.install()
        tell({"result": run(wire, tell)})
    except BaseException:  # noqa: BLE001  # told to the parent, who fails
        tell({"wrong": traceback.format_exc()})
    finally:
        os._exit(0)
