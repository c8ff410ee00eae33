"""A model behind real HTTP that says what time it is: every word is the moment at which it was sent.

usage: python -m tests.bench.model. It speaks the chat completions API, prints its port, and ends when its
standard input does. The name of the model that is asked for says how it answers: see `Pace`.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

now = time.time  # noqa: TID251  # the clock that log lines are stamped with, the same in all processes

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"connection: close\r\n\r\n"
)
_END = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long an answer is and how fast it comes."""

    words: int
    """One to an event, as providers send tokens."""
    per_second: float = 80
    first: float = 0.0
    """Seconds until the first word."""

    @property
    def model(self) -> str:
        """The model's name that asks for this."""
        return f"clock-{self.words}-{self.per_second:g}-{self.first:g}"

    @classmethod
    def of(cls, model: str) -> Self:
        """Read a model's name."""
        _, words, per_second, first = model.split("-")
        return cls(words=int(words), per_second=float(per_second), first=float(first))

    @property
    def seconds(self) -> float:
        """From being asked to the last word."""
        return self.first + (self.words - 1) / self.per_second


@dataclass(frozen=True, slots=True)
class Said:
    """A text that this model has written: when it was asked, and when it sent each word."""

    asked: float
    words: Sequence[float]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a whole text, which begins with when the model was asked."""
        asked, *words = stamps(text)
        return cls(asked, words)


def stamps(text: str) -> list[float]:
    """Return the moments that a piece of a text names; pieces end between two words."""
    return [float(word) for word in text.split()]


@contextmanager
def clock() -> Iterator[str]:
    """Run the model; the value for MODEL_BASE_URL."""
    command = [sys.executable, "-m", "tests.bench.model"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as model:  # noqa: S603 - this very program
        assert model.stdin is not None
        assert model.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(model.stdout.readline())}/v1"
        finally:
            model.stdin.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        asked = json.loads(await reader.readexactly(size))
        await _say(writer, Pace.of(asked["model"]))
    writer.close()


async def _say(writer: asyncio.StreamWriter, pace: Pace) -> None:
    """Send every word when it is due; one that is late does not delay those behind it."""
    asked, began = now(), asyncio.get_running_loop().time() + pace.first
    writer.write(_HEAD + _chunk({"role": "assistant", "content": ""}))
    said = f"{asked:.6f} "
    for word in range(pace.words):
        await asyncio.sleep(began + word / pace.per_second - asyncio.get_running_loop().time())
        writer.write(_chunk({"content": f"{said}{now():.6f} "}))
        await writer.drain()
        said = ""
    usage = {"prompt_tokens": 1, "completion_tokens": pace.words, "total_tokens": pace.words + 1}
    writer.write(_chunk({}, "stop") + _event({"choices": [], "usage": usage}) + _framed("[DONE]") + _END)
    await writer.drain()


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _event(chunk: dict[str, Any]) -> bytes:
    return _framed(json.dumps({"id": "clock", "object": "chat.completion.chunk", **chunk}))


def _framed(data: str) -> bytes:
    """Return one event in one chunk of the transfer, as providers send them."""
    event = f"data: {data}\n\n".encode()
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=128)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
