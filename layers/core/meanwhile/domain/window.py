"""What fits into a model's window, and what a model can be shown of what was recalled.

The rules that need no store: how much room there is, that calls and their outputs stay together, and what
stands in place of an image or a file that a model cannot read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.facts import COMPACTION
from meanwhile.domain.files import is_pdf, named
from meanwhile.domain.request import Json, Request

NO_IMAGE = "[An image was here. This model cannot see images.]"
NO_FILES = "This model cannot read PDF files."
_ANSWERS = 4
"""A window's share that is left for an answer of which nothing is known: one of so many."""
_SUMMARIES, _SUMMARY = 8, 4_096
"""The same of a summary, and the most that it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How many tokens a model takes, question and answer together, and what of them is the answer's."""

    tokens: int
    answer: int
    is_known: bool = True
    """Whether the catalogue names it; otherwise it is a guess that bounds what is recalled."""
    sees_images: bool = True
    reads_files: bool = True
    """Whether it is shown PDFs; text files are text."""

    @property
    def room(self) -> int:
        """What is left for everything that the model reads."""
        return max(0, self.tokens - self.answer)

    @classmethod
    def of(
        cls,
        tokens: int | None,
        *,
        otherwise: int,
        asked: int | None,
        most: int | None,
        sees_images: bool,
        reads_files: bool = True,
    ) -> Self:
        """Return the window of a model for a request.

        The answer gets what was `asked` for; else as much as the model writes at the `most`, up to half of
        the window; else a quarter. Of a window that is not known it gets no more than half.
        """
        size = otherwise if tokens is None else tokens
        answer = asked or (size // _ANSWERS if most is None else min(most, size // 2))
        if tokens is None:
            answer = min(answer, size // 2)
        return cls(
            tokens=size,
            answer=answer,
            is_known=tokens is not None,
            sees_images=sees_images,
            reads_files=reads_files,
        )

    def to_read(self, request: Request) -> Self:
        """Return the window with what of it is left while a request is read first.

        Where it is to be summed up a summary takes less than an answer: what has outgrown the answer's room
        is what is compacted. With `truncation: auto` it is cut to that room before.
        """
        is_summed_up = request.is_compaction or request.compact_threshold is not None
        if not is_summed_up or request.truncation == "auto":
            return self
        return replace(self, answer=min(self.answer, self.tokens // _SUMMARIES, _SUMMARY))

    def readable(self, items: Sequence[Json]) -> list[Json]:
        """Return items with a note in place of each image or file that the model cannot read."""
        if self.sees_images and self.reads_files:
            return list(items)
        return [self._readable(item) for item in items]

    def _readable(self, item: Json) -> Json:
        parts = {name: item[name] for name in ("content", "output") if isinstance(item.get(name), list)}
        return item | {name: [self._noted(part) for part in found] for name, found in parts.items()}

    def _noted(self, part: Json) -> Json:
        if part["type"] == "input_image" and not self.sees_images:
            return {"type": "input_text", "text": NO_IMAGE}
        if is_pdf(part) and not self.reads_files:
            return {"type": "input_text", "text": f"[The file {named(part)} was here. {NO_FILES}]"}
        return part

    def exceeded(self, *, own: int, before: int) -> InvalidRequest:
        """Return the error for what does not fit: it names the numbers."""
        stood = f" and at least {before} of what it continues" if before else ""
        guess = "" if self.is_known else " (a default: the catalogue does not name it)"
        return InvalidRequest(
            f"This does not fit into the model's context window: {own} tokens of the request itself{stood} "
            f"are more than {self.room}, which is the window of {self.tokens}{guess} less {self.answer} for "
            "the answer.",
            param="input",
            code="context_length_exceeded",
        )


def no_input() -> InvalidRequest:
    """Return the error for whoever asks nothing where nothing was said before."""
    return InvalidRequest(
        "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
    )


def stands_alone(request: Request) -> bool:
    """Whether nothing before a request is shown: it is in no thread, or its own input sums that up."""
    return request.place is None or any(item["type"] == COMPACTION for item in request.input)


def unpaired(items: Sequence[Json], own: Sequence[Json]) -> set[int]:
    """Return the indexes of recalled items that no model takes without what is not there.

    These are outputs without their call before them, calls without an output behind them, there or in the
    request's `own` input, and thoughts that are not followed by what they led to.
    """
    calls: dict[str, int] = {}
    paired: set[int] = set()
    for index, item in enumerate([*items, *own]):
        call_id = item.get("call_id", "")
        if item["type"] == "function_call":
            calls[call_id] = index
        elif item["type"] == "function_call_output" and call_id in calls:
            paired |= {calls[call_id], index}
    lost: set[int] = set()
    leads_somewhere = False
    for index in reversed(range(len(items))):
        kind = items[index]["type"]
        if kind == "reasoning":
            lost |= set() if leads_somewhere else {index}
        elif kind in {"function_call", "function_call_output"} and index not in paired:
            lost.add(index)
        else:
            leads_somewhere = kind == "function_call" or items[index].get("role") == "assistant"
    return lost


def uncalled(items: Sequence[Json], own: Sequence[Json]) -> str | None:
    """Return the call id of an output in the request's own input whose call is nowhere before it."""
    called: set[str] = set()
    for index, item in enumerate([*items, *own]):
        if item["type"] == "function_call":
            called.add(item["call_id"])
        elif item["type"] == "function_call_output" and index >= len(items) and item["call_id"] not in called:
            found: str = item["call_id"]
            return found
    return None
