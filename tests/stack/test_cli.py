"""The command line as people and scripts run it: a process of its own against the whole service."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.fake_provider import Silence, end, says, text
from tests.stack.talking import simulated
from tests.stack.upstream import Upstream
from tests.support.waiting import eventually
from tests.unit.cli.terminal import Terminal

RIVERS = "Write 120 words about rivers."
WIDTH = 80
_HALF_A_SEQUENCE = re.compile(r"\x1b(\[[?0-9;]*)?$")
_COMMAND = [sys.executable, "-m", "meanwhile.cli"]


@pytest.mark.xdist_group("stack")
def test_whoever_leaves_comes_back_to_the_whole_answer(
    stack: LocalStack, sdk: OpenAI, upstream: Upstream
) -> None:
    """Ctrl-C ends the program and not the answer, and what it says on leaving is the way back."""
    silence = Silence()
    model = upstream.model([*text("Once upon "), silence, *text("a time."), *end()])
    with started(stack, "ask", "Speak.", "--model", model) as asking:
        assert asking.stderr is not None
        response_id = asking.stderr.readline().split()[0]
        assert silence.reached.wait(10)

        asking.send_signal(signal.SIGINT)
        out, notes = asking.communicate(timeout=10)
    silence.until.set()
    watched = run(stack, "watch", response_id)

    assert (asking.returncode, out) == (130, "")
    assert notes.endswith(f"  meanwhile watch {response_id}\n")
    assert (watched.returncode, watched.stdout) == (0, "Once upon a time.\n")
    assert sdk.responses.retrieve(response_id).status == "completed"


@pytest.mark.xdist_group("stack")
def test_a_script_asks_cancels_and_deletes(stack: LocalStack) -> None:
    """Every step prints what the next one needs, and its exit code says how it went."""
    asked = run(stack, "ask", "Write 400 words.", "--model", "simulator-slow", "--no-wait")
    response_id = asked.stdout.strip()

    cancelled = run(stack, "cancel", response_id, "--json")
    watched = run(stack, "watch", response_id)
    deleted = run(stack, "delete", response_id)
    gone = run(stack, "watch", response_id)

    assert json.loads(cancelled.stdout)["status"] == "cancelled"
    assert watched.returncode == 3
    assert deleted.stdout == f"{response_id} deleted\n"
    assert (gone.returncode, gone.stderr) == (1, f"Response with id '{response_id}' not found.\n")


@pytest.mark.xdist_group("fragile")
def test_a_terminal_shows_an_answer_that_started_over_once(fragile: LocalStack, upstream: Upstream) -> None:
    """The worker is killed while somebody reads: the lost words go from the screen, and come back whole."""
    answer = simulated(RIVERS)
    half = answer[: len(answer) // 2]

    shown = shown_over_a_kill(fragile, upstream.model([*text(half), Silence()], says(answer)))

    assert shown.count("the answer starts over") == 1
    assert shown.partition("starts over.")[2].rpartition("completed")[0].split() == answer.split()
    assert shown.count("I am a simulator") == 1


@pytest.mark.xdist_group("fragile")
def test_a_terminal_shows_nothing_of_a_crash_that_the_model_goes_on_from(fragile: LocalStack) -> None:
    """The words stop for a while, and go on."""
    shown = shown_over_a_kill(fragile, "simulator")

    assert "starts over" not in shown
    assert simulated(RIVERS).split() == shown.partition("simulator\n")[2].rpartition("completed")[0].split()


def shown_over_a_kill(stack: LocalStack, model: str) -> str:
    """Return what a terminal shows of an answer whose worker is killed in mid-sentence."""
    with Screen(stack, "ask", RIVERS, "--model", model) as screen:
        eventually(lambda: "simulator, not" in screen.shown())

        assert stack.kill("WorkerFunction")

        assert screen.process.wait(30) == 0
        return screen.shown(until_end=True)


class Screen:
    """A program on a terminal, and what the terminal shows."""

    def __init__(self, stack: LocalStack, *arguments: str) -> None:
        ours, its = pty.openpty()
        size = {"COLUMNS": str(WIDTH), "LINES": "40", "TERM": "xterm"}
        self.process = subprocess.Popen(  # noqa: S603  # our own program
            [*_COMMAND, *arguments], env=environment(stack) | size, stdin=its, stdout=its, stderr=its
        )
        os.close(its)
        self._written = b""
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(10)

    def shown(self, *, until_end: bool = False) -> str:
        """Return what stands on the screen; with `until_end`, after the last word."""
        if until_end:
            self._reader.join(10)
        terminal = Terminal(WIDTH)
        terminal.feed(_HALF_A_SEQUENCE.sub("", self._written.decode(errors="ignore")))
        return terminal.seen

    def _read(self, ours: int) -> None:
        with suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(ours, 65_536):
                self._written += piece
        os.close(ours)


@contextmanager
def started(stack: LocalStack, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command line, both streams in pipes, for as long as the block lasts at most."""
    with subprocess.Popen(  # noqa: S603  # our own program
        [*_COMMAND, *arguments],
        env=environment(stack),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(stack: LocalStack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command line to its end."""
    with started(stack, *arguments) as process:
        out, notes = process.communicate(timeout=30)
    return subprocess.CompletedProcess(arguments, process.returncode, out, notes)


def environment(stack: LocalStack) -> dict[str, str]:
    """Return what the program is told: where the stack is, and no key."""
    path = os.environ["PATH"]  # noqa: TID251  # another process starts here
    return {"PATH": path, "MEANWHILE_URL": stack.url, "LANG": "C.UTF-8"}
