"""What is new in a response since it was last looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

RUNNING = frozenset({"queued", "in_progress"})


@dataclass(frozen=True, slots=True)
class Moved:
    """The response has another status, and runs."""

    status: str


@dataclass(frozen=True, slots=True)
class Began:
    """What follows is another message than what came before, which stays."""


@dataclass(frozen=True, slots=True)
class Grew:
    """There is more text."""

    text: str


@dataclass(frozen=True, slots=True)
class StartedOver:
    """A crash took the message that was being written: forget its text, it is being written anew."""


@dataclass(frozen=True, slots=True)
class Called:
    """The model wants a function called."""

    name: str
    arguments: str


News = Moved | Began | Grew | StartedOver | Called


@dataclass(slots=True)
class Reader:
    """Remembers what it has told, and tells nothing twice."""

    _status: str = ""
    _texts: dict[str, str] = field(default_factory=dict)
    _calls: set[str] = field(default_factory=set)

    def read(self, response: Json) -> Iterator[News]:
        """Yield what is new in a response."""
        runs = response["status"] in RUNNING
        if runs and response["status"] != self._status:
            self._status = response["status"]
            yield Moved(self._status)
        last = len(response["output"]) - 1
        for place, item in enumerate(response["output"]):
            if item["type"] == "message":
                yield from self._read_message(item, goes_on=runs or place < last)
            elif _is_ready_call(item) and item["id"] not in self._calls:
                self._calls.add(item["id"])
                yield Called(item["name"], item["arguments"])

    def _read_message(self, item: Json, *, goes_on: bool) -> Iterator[News]:
        text, told = _said_in(item), self._texts.get(item["id"], "")
        if not text.startswith(told):
            if not goes_on:
                return
            told = ""
            yield StartedOver()
        self._texts[item["id"]] = text
        if len(text) > len(told):
            if not told and any(other for each, other in self._texts.items() if each != item["id"]):
                yield Began()
            yield Grew(text[len(told) :])


def text_of(response: Json) -> str:
    """Return all the text of a response."""
    said = [_said_in(item) for item in response["output"] if item["type"] == "message"]
    return "\n\n".join(text for text in said if text)


def calls_of(response: Json) -> list[Called]:
    """Return the functions that the model wants called."""
    return [Called(item["name"], item["arguments"]) for item in response["output"] if _is_ready_call(item)]


def _is_ready_call(item: Json) -> bool:
    return bool(item["type"] == "function_call" and item["status"] == "completed")


def _said_in(message: Json) -> str:
    return "".join(part.get("text") or part.get("refusal") or "" for part in message["content"])
