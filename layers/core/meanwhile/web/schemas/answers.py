"""What the service answers. For the OpenAPI document only: no answer is ever passed through these."""

from typing import Annotated, Any, Literal

from pydantic import Field

from meanwhile.web.schemas.base import ItemStatus
from meanwhile.web.schemas.shown import DroppedItems, Shown
from meanwhile.web.schemas.shown_parts import (
    ShownInputFile,
    ShownInputImage,
    ShownInputText,
    ShownOutputText,
    ShownReasoningText,
    ShownRefusal,
    ShownSummary,
)


class FailureDetail(Shown):
    """What went wrong."""

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str | None


class Failure(Shown):
    """Every answer that is not a success."""

    error: FailureDetail


class ShownMessage(Shown):
    """What was said."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["user", "assistant", "system", "developer"]
    content: list[ShownInputText | ShownInputImage | ShownInputFile | ShownOutputText | ShownRefusal]


class ShownFunctionCall(Shown):
    """A function to call."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class ShownFunctionCallOutput(Shown):
    """What a function returned."""

    id: str
    type: Literal["function_call_output"]
    status: ItemStatus
    call_id: str
    output: str | list[ShownInputText | ShownInputImage | ShownInputFile]


class ShownReasoning(Shown):
    """What a model thought."""

    id: str
    type: Literal["reasoning"]
    status: ItemStatus
    summary: list[ShownSummary]
    content: list[ShownReasoningText] = Field(default_factory=list)
    encrypted_content: str = ""


class ShownCompaction(Shown):
    """What stands for everything before it."""

    id: str
    type: Literal["compaction"]
    encrypted_content: str


OutputItem = ShownMessage | ShownFunctionCall | ShownReasoning | ShownCompaction
Item = OutputItem | ShownFunctionCallOutput


class ShownTool(Shown):
    """A function the model may ask for."""

    type: Literal["function"]
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


class ShownText(Shown):
    """How the text was to be."""

    format: dict[str, Any]
    verbosity: Literal["low", "medium", "high"] = "medium"


class ShownReasoningOptions(Shown):
    """How much the model was to think."""

    effort: str | None
    summary: str | None


class InputTokensDetails(Shown):
    """Of these, how many met a cache."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(Shown):
    """Of these, how many were thoughts."""

    reasoning_tokens: int


class Usage(Shown):
    """Tokens, as the provider counted them."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(Shown):
    """Why it failed."""

    code: str
    message: str


class IncompleteDetails(Shown):
    """Why it is incomplete."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseConversation(Shown):
    """The conversation that it runs in."""

    id: str


class Response(Shown):
    """One answer: where it stands, and what was asked."""

    id: Annotated[str, Field(pattern="^resp_[0-9a-f]{48}$")]
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    background: bool
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: ResponseConversation | None
    prompt_cache_key: str | None
    reasoning: ShownReasoningOptions
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: ShownText
    tool_choice: str | dict[str, Any]
    tools: list[ShownTool]
    top_logprobs: int
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    truncation: Literal["auto", "disabled"]
    usage: Usage | None
    user: str | None
    metadata: dict[str, str]
    dropped: DroppedItems | None = None
    """Only there if something was; an addition of ours."""


class ResponseDeleted(Shown):
    """What is left of a deleted response."""

    id: str
    object: Literal["response.deleted"]
    deleted: Literal[True]


class ResponseRow(Shown):
    """A response in short: what a list shows of it."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    background: bool
    store: bool


class ResponseList(Shown):
    """A page of responses; where there is more, the next one continues after `last_id`."""

    object: Literal["list"]
    data: list[ResponseRow]
    first_id: str | None
    last_id: str | None
    has_more: bool


class CancelledAll(Shown):
    """How many were cancelled, how many cannot be for they do not open, and whether some are left."""

    object: Literal["response.cancelled_all"]
    cancelled: Annotated[int, Field(ge=0)]
    unreadable: Annotated[int, Field(ge=0)]
    has_more: bool


class ItemList(Shown):
    """A page of items; the next one continues after `last_id`."""

    object: Literal["list"]
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class InputTokens(Shown):
    """How many tokens a model would read."""

    object: Literal["response.input_tokens"]
    input_tokens: Annotated[int, Field(ge=0)]


class Model(Shown):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Shown):
    """The models."""

    object: Literal["list"]
    data: list[Model]
