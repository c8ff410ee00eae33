"""The bodies of `POST /responses`, of `POST /responses/input_tokens` and of `POST /responses/compact`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticKnownError

from meanwhile.web.schemas.base import (
    ARRAY,
    MAX_PARTS,
    OBJECT,
    STRING,
    Content,
    Includable,
    NotYet,
    Setting,
    listed,
    text_or_any_object,
    text_or_list,
)
from meanwhile.web.schemas.items import InputItem
from meanwhile.web.schemas.options import (
    MAX_TOOLS,
    ContextManagement,
    FunctionTool,
    ReasoningOptions,
    StreamOptions,
    Text,
    ToolChoice,
)

_MOST_TOKENS = 2**31 - 1

_MOST_PAIRS, _LONGEST_KEY = 16, 64


def _refuse_keys(pairs: Any) -> Any:
    """Refuse too many keys, and one that is too long, by the name of the whole: a key may be private.

    Before the values are looked at, of which each wrong one is an error of its own.
    """
    if not isinstance(pairs, dict):
        return pairs
    if len(pairs) > _MOST_PAIRS:
        limits = {"field_type": "Dictionary", "max_length": _MOST_PAIRS, "actual_length": len(pairs)}
        raise PydanticKnownError("too_long", limits)
    if any(len(key) > _LONGEST_KEY for key in pairs):
        raise PydanticKnownError("string_too_long", {"max_length": _LONGEST_KEY})
    return pairs


MetadataValue = Annotated[str, Field(max_length=512)]
MetadataKey = Annotated[str, Field(max_length=_LONGEST_KEY)]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue], Field(max_length=_MOST_PAIRS), BeforeValidator(_refuse_keys)
]
Penalty = Annotated[float, Field(ge=-2, le=2)]


ModelId = Annotated[str, Field(min_length=1, max_length=256)]
Input = Annotated[
    Annotated[Content, Tag(STRING)] | Annotated[list[InputItem], listed(least=1, most=MAX_PARTS), Tag(ARRAY)],
    Discriminator(text_or_list),
]


class ConversationId(Setting):
    """A conversation, by its id."""

    id: Annotated[str, Field(min_length=1, max_length=256)]


Conversation = Annotated[
    Annotated[str, Field(min_length=1, max_length=256), Tag(STRING)] | Annotated[ConversationId, Tag(OBJECT)],
    Discriminator(text_or_any_object),
]


PreviousId = Annotated[str, Field(min_length=1, max_length=256)]


class CountInputTokens(Setting):
    """What a model would read, and which model: all that counts as input. Null means the default."""

    model: ModelId | None = None
    input: Input | None = None
    instructions: Content | None = None
    tools: Annotated[list[FunctionTool], listed(most=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: ReasoningOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None

    conversation: Conversation | None = None
    previous_response_id: PreviousId | None = None

    personality: NotYet = None


ServiceTier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]
CacheKey = Annotated[str, Field(max_length=128)]
Retention = Literal["in_memory", "in-memory", "24h"]


class CreateResponse(CountInputTokens):
    """What to answer, by which model, and how. Null means the default."""

    model: ModelId
    background: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    metadata: Metadata | None = None

    max_tool_calls: Annotated[int, Field(ge=1, le=_MOST_TOKENS)] | None = None
    max_output_tokens: Annotated[int, Field(ge=16, le=_MOST_TOKENS)] | None = None
    include: Annotated[list[Includable], listed(most=64)] | None = None
    context_management: Annotated[list[ContextManagement], listed(most=1)] | None = None

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    service_tier: ServiceTier | None = None
    safety_identifier: Annotated[str, Field(max_length=128)] | None = None
    prompt_cache_key: CacheKey | None = None
    prompt_cache_options: dict[str, Any] | None = None
    """Hints for a cache; taken and not used, for they do not change the answer."""
    prompt_cache_retention: Retention | None = None
    """As above."""
    user: Annotated[str, Field(max_length=512)] | None = None

    access_programs: NotYet = None
    image: NotYet = None
    moderation: NotYet = None
    prompt: NotYet = None


class CompactResponse(Setting):
    """What to compact (`input`, `previous_response_id` or both), and by which model."""

    model: ModelId
    input: Input | None = None
    previous_response_id: PreviousId | None = None
    instructions: Content | None = None
    service_tier: ServiceTier | None = None
    prompt_cache_key: CacheKey | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: Retention | None = None

    image: NotYet = None
