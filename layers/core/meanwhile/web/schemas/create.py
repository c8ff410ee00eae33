"""The bodies of `POST /responses` and of `POST /responses/input_tokens`, which is a part of the other."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from meanwhile.web.schemas.base import Content, Includable, NotYet, Setting, text_or_list
from meanwhile.web.schemas.items import InputItem
from meanwhile.web.schemas.options import (
    FunctionTool,
    ReasoningOptions,
    StreamOptions,
    Text,
    ToolChoice,
)

_MOST_TOKENS = 2**31 - 1

MetadataValue = Annotated[str, Field(max_length=512)]
MetadataKey = Annotated[str, Field(max_length=64)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


ModelId = Annotated[str, Field(min_length=1, max_length=256)]
Input = Annotated[
    Annotated[Content, Tag("<string>")] | Annotated[list[InputItem], Field(min_length=1), Tag("<array>")],
    Discriminator(text_or_list),
]


class CountInputTokens(Setting):
    """What a model would read, and which model: all that counts as input. Null means the default."""

    model: ModelId | None = None
    input: Input | None = None
    instructions: Content | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: ReasoningOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None

    conversation: NotYet = None
    previous_response_id: NotYet = None


class CreateResponse(CountInputTokens):
    """What to answer, by which model, and how. Null means the default."""

    model: ModelId
    input: Input
    background: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)] | None = None

    max_tool_calls: Annotated[int, Field(ge=1, le=_MOST_TOKENS)] | None = None
    max_output_tokens: Annotated[int, Field(ge=16, le=_MOST_TOKENS)] | None = None
    include: list[Includable] | None = None

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    safety_identifier: Annotated[str, Field(max_length=128)] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=128)] | None = None
    prompt_cache_options: dict[str, Any] | None = None
    """Hints for a cache; taken and not used, for they do not change the answer."""
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    """As above."""
    user: Annotated[str, Field(max_length=512)] | None = None

    access_programs: NotYet = None
    context_management: NotYet = None
    image: NotYet = None
    moderation: NotYet = None
    prompt: NotYet = None
