"""The processes of the local stack: each in a group of its own, known to the guard, gone at the end."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PIPE = asyncio.subprocess.PIPE
_LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A process that was started, and what it prints (its errors among it).

    The pipe is not asyncio's own: with that, a process is only seen to end when everything it started has let
    go of the pipe too.
    """

    process: asyncio.subprocess.Process
    output: asyncio.StreamReader

    @property
    def pid(self) -> int:
        """The process id, which is also its group's."""
        return self.process.pid


class Children:
    """Starts processes and sees to it that none outlives the stack, however the stack ends."""

    def __init__(self) -> None:
        self._guard: asyncio.subprocess.Process | None = None
        self._running: dict[int, Child] = {}
        self._outputs: list[asyncio.BaseTransport] = []

    async def start_guard(self) -> None:
        """Start the guard; comes before every other child."""
        self._guard = await asyncio.create_subprocess_exec(
            sys.executable,
            "-E",
            "-S",
            str(Path(__file__).with_name("guard.py")),
            stdin=_PIPE,
            start_new_session=True,
        )

    async def start(
        self, *command: str, folder: Path, environment: Mapping[str, str], keep_stdin: bool = False
    ) -> Child:
        """Start a process in a group of its own."""
        read, write = os.pipe()
        output = asyncio.StreamReader(limit=_LONGEST_LINE)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=dict(environment),
                stdin=_PIPE if keep_stdin else asyncio.subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
            )
        finally:
            os.close(write)
        child = self._running[process.pid] = Child(process, output)
        self._tell_guard("+", child.pid)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read, "rb")
        )
        self._outputs = [*(each for each in self._outputs if not each.is_closing()), transport]
        return child

    def kill(self, child: Child, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process and all that it started."""
        try:
            os.killpg(child.pid, how)
        except (ProcessLookupError, PermissionError):  # gone already; macOS says the second for a zombie
            return

    async def ended(self, child: Child) -> int:
        """Wait for the end of a process, end what it left behind, and return its exit code."""
        code = await child.process.wait()
        self.kill(child)
        self._running.pop(child.pid, None)
        self._tell_guard("-", child.pid)
        return code

    async def stop_all(self, patience: float = 0.5) -> None:
        """Ask every process to end, insist after `patience` seconds, and end the guard."""
        running = list(self._running.values())
        processes = [child.process for child in running]
        for child in running:
            self.kill(child, signal.SIGTERM)
            self.kill(child, signal.SIGCONT)  # a frozen function hears nothing
        await _all_ended(processes, patience)
        for child in running:
            self.kill(child)
        await _all_ended(processes, patience)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            await _all_ended([self._guard], patience)
        for output in self._outputs:  # the end of some may not have been read yet
            output.close()

    def _tell_guard(self, sign: str, group: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(f"{sign}{group}\n".encode())


async def _all_ended(processes: Sequence[asyncio.subprocess.Process], patience: float) -> None:
    if processes:
        await asyncio.wait([asyncio.ensure_future(process.wait()) for process in processes], timeout=patience)
