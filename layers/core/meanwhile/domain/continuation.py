"""What becomes of an answer whose model call broke off: the one place that decides it.

    what readers have of the message    the model can go on    it cannot, or not with this request
    --------------------------------    -------------------    ------------------------------------
    nothing, or white space             start over             start over
    words, in the background            continue               start over
    words, waited for as a whole        continue               start over
    words, in a foreground stream       continue               interrupt

*Start over* keeps a message without words, which the next call fills; one with words is cleared, and the next
call begins another. Most clients join what a stream says without looking at items, so to one that has words
the answer cannot be told again: *interrupt*. Thoughts and calls are never continued: what is open of them is
given up, what is closed stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from meanwhile.domain.answer import Answer
from meanwhile.domain.facts import MESSAGE, OUTPUT_TEXT, REASONING, GivenUp
from meanwhile.domain.request import Request
from meanwhile.domain.response import Status


class Step(Enum):
    """What to do next."""

    CONTINUE = auto()
    START_OVER = auto()
    INTERRUPT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What earlier calls have left of an answer, for a model to go on from."""

    text: str = ""
    """All that readers have of the message."""
    thoughts: str = ""
    """The reasoning that led to it: nobody is sent it again, but it has cost output tokens."""

    @property
    def words(self) -> str:
        """What a model is given: servers drop white space at its end, or keep it, as they like."""
        return self.text.rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """The step, what follows from it for the log, and what the next model call takes up."""

    step: Step
    given_up: tuple[GivenUp, ...] = ()
    """Nothing is applied yet."""
    message: int | None = None
    """The index of the open message that the next call writes to; `None` begins another."""
    beginning: Beginning = Beginning()


def resumption(answer: Answer, request: Request, *, continues: bool) -> Resumption:
    """Decide how an answer goes on; one of which nothing is open starts over, which is to start.

    `continues` is whether the model goes on from a beginning that it is given.
    """
    index = next((at for at, item in enumerate(answer.items) if item.is_open and item.kind == MESSAGE), None)
    if index is None:
        return Resumption(step=Step.START_OVER, given_up=given_up(answer))
    parts = answer.items[index].parts
    has_words = any(part.text.strip() for part in parts)
    is_plain = [part.kind for part in parts] in ([], [OUTPUT_TEXT])
    text = parts[-1].text if parts else ""
    if is_plain and not has_words:
        return Resumption(
            step=Step.START_OVER,
            given_up=given_up(answer, keep=index),
            message=index,
            beginning=Beginning(text=text),
        )
    if is_plain and continues and _can_be_continued(request):
        return Resumption(
            step=Step.CONTINUE,
            given_up=given_up(answer, keep=index),
            message=index,
            beginning=Beginning(text=text, thoughts=_thoughts(answer, index)),
        )
    if has_words and request.stream and not answer.background:
        return Resumption(step=Step.INTERRUPT)
    return Resumption(step=Step.START_OVER, given_up=given_up(answer))


def given_up(answer: Answer, *, keep: int | None = None) -> tuple[GivenUp, ...]:
    """Return the facts that clear what an interrupted model call left open, but for one item."""
    return tuple(GivenUp(index) for index, item in enumerate(answer.items) if item.is_open and index != keep)


def _can_be_continued(request: Request) -> bool:
    """Whether a server goes on where it was: a grammar, and a call that is demanded, begin anew."""
    return request.text_format.get("type") == "text" and not _demands_call(request.tool_choice)


def _demands_call(choice: str | Mapping[str, Any]) -> bool:
    if isinstance(choice, Mapping):
        return choice.get("type") != "allowed_tools" or choice.get("mode") == "required"
    return choice == "required"


def _thoughts(answer: Answer, message: int) -> str:
    """Return the reasoning of the tries that wrote this message, not of those that were given up before."""
    lost = (at for at in range(message) if answer.items[at].status is Status.INCOMPLETE)
    tried = answer.items[max(lost, default=-1) + 1 :]
    return "".join(part.text for item in tried if item.kind == REASONING for part in item.parts)
