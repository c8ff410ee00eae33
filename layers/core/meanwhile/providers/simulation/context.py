"""What the simulator has read: the request's items as turns of a conversation."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meanwhile.domain.files import INPUT_FILE, is_pdf, text_of, words_of
from meanwhile.domain.request import Json, Request
from meanwhile.providers.surrogates import healed

FILE = "file"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; or a text file that came with it, in the role of a `FILE`."""

    role: str
    text: str
    images: int = 0
    files: int = 0
    """Those that are no text."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a function gave back, with the name it was called by, where the call is in the input too."""

    name: str
    output: str


@dataclass(frozen=True, slots=True)
class Context:
    """Everything the answer may use."""

    turns: Sequence[Turn]
    results: Sequence[ToolResult]
    """Outputs of the calls made for the last question: those after the last user message."""

    @classmethod
    def of(cls, request: Request) -> "Context":
        """Read the request's items in order; items that say nothing (reasoning, say) are passed over."""
        turns = [Turn("system", healed(request.instructions))] if request.instructions else []
        results: list[ToolResult] = []
        names: dict[str, str] = {}
        for item in request.input:
            match item.get("type", "message"):
                case "message":
                    turns += [*_files(item), _turn(item)]
                    if turns[-1].role == "user":
                        results.clear()
                case "function_call":
                    names[str(item.get("call_id"))] = str(item.get("name"))
                case "function_call_output":
                    name = names.get(str(item.get("call_id")), "the function")
                    results.append(ToolResult(name, _text(item.get("output"))))
        return cls(tuple(turns), tuple(results))

    @property
    def question(self) -> Turn:
        """The last thing the user said."""
        return next((each for each in reversed(self.turns) if each.role == "user"), Turn("user", ""))

    @property
    def seed(self) -> bytes:
        """The same for the same words, whatever ids the items carry."""
        said = [[each.role, each.text] for each in self.turns] + [
            [each.name, each.output] for each in self.results
        ]
        return hashlib.sha256(json.dumps(said).encode()).digest()


def texts_of(request: Request) -> Iterator[str]:
    """Yield every text the model reads: what input tokens are counted over."""
    if request.instructions:
        yield request.instructions
    for item in request.input:
        yield _text(item.get("content"))
        yield _text(item.get("arguments"))
        yield _text(item.get("output"))
    for tool in request.tools:
        yield json.dumps(tool)


def parts_of(item: Json) -> Sequence[Mapping[str, Any]]:
    """Return the parts of a message; a plain string has none."""
    content = item.get("content")
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _turn(item: Json) -> Turn:
    """Return what a message says beside its files."""
    content = item.get("content")
    images = sum(part.get("type") == "input_image" for part in parts_of(item))
    files = sum(map(is_pdf, parts_of(item)))
    if isinstance(content, list):
        content = [part for part in parts_of(item) if part.get("type") != INPUT_FILE]
    return Turn(str(item.get("role", "user")), _text(content), images, files)


def _files(item: Json) -> list[Turn]:
    """Return the text files that come with a message, so that it can be told who says what."""
    texts = [part for part in parts_of(item) if part.get("type") == INPUT_FILE and not is_pdf(part)]
    return [Turn(FILE, healed(text_of(part).strip())) for part in texts]


def _text(content: Any) -> str:
    """Return the text of a content, be it a string or a list of parts."""
    if isinstance(content, str):
        return healed(content)
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, Mapping))
    return healed(" ".join(words_of(part) or "" for part in parts).strip())
