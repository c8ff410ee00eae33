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
