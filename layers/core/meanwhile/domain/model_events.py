"""What a language model says while it answers, in the same words for every provider."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the provider counted them."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Return what two model calls have cost together."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


NOTHING = Usage(input_tokens=0, output_tokens=0)


def together(*parts: Usage | None) -> Usage | None:
    """Return what several model calls have cost; `None` if that is not known of every one."""
    whole = NOTHING
    for part in parts:
        if part is None:
            return None
        whole += part
    return whole


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the thinking that comes before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of the model's own words for why it will not answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """The model begins to call a function; `index` tells parallel calls apart."""

    index: int
    call_id: str
    """The provider's id for the call; empty when it has none."""
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of the arguments of the call with this `index`, a piece of JSON text."""

    index: int
    arguments: str


class FinishReason(StrEnum):
    """Why the model stopped, by its own account."""

    STOP = "stop"
    """It said all it had to say, or calls functions and waits for their outputs."""
    LENGTH = "max_output_tokens"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider's own end: without it no response is ever `completed`. Always the last event."""

    reason: FinishReason
    usage: Usage | None = None


ModelEvent = TextDelta | ReasoningDelta | RefusalDelta | ToolCallStarted | ToolCallDelta | Finished
