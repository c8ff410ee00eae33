"""Input items: what was said, called and returned so far."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from meanwhile.web.schemas.base import (
    CallId,
    Content,
    ItemId,
    ItemStatus,
    NotYet,
    Said,
    by_type,
    item_type,
    text_or_list,
)


class InputText(Said):
    """Text for the model to read."""

    type: Literal["input_text"]
    text: Content


class InputImage(Said):
    """An image for the model to see, by its address or as a data URL."""

    type: Literal["input_image"]
    file_id: NotYet = None
    image_url: Annotated[str, Field(pattern=r"^(https?://.|data:image/[a-zA-Z0-9.+-]+;base64,)")]
    detail: Literal["low", "high", "auto", "original"] | None = "auto"


class OutputText(Said):
    """Text that a model wrote."""

    type: Literal["output_text"]
    text: Content
    annotations: list[dict[str, Any]] | None = Field(default_factory=list)
    logprobs: list[dict[str, Any]] | None = Field(default_factory=list)


class Refusal(Said):
    """A model's words for why it will not answer."""

    type: Literal["refusal"]
    refusal: Content


class SummaryText(Said):
    """A summary of what a model thought."""

    type: Literal["summary_text"]
    text: Content


class ReasoningText(Said):
    """What a model thought."""

    type: Literal["reasoning_text"]
    text: Content


InputPart = Annotated[
    Annotated[InputText, Tag("<input_text>")] | Annotated[InputImage, Tag("<input_image>")],
    Discriminator(by_type),
]
OutputPart = Annotated[
    Annotated[OutputText, Tag("<output_text>")] | Annotated[Refusal, Tag("<refusal>")],
    Discriminator(by_type),
]
InputParts = Annotated[
    Annotated[Content, Tag("<string>")] | Annotated[list[InputPart], Field(min_length=1), Tag("<array>")],
    Discriminator(text_or_list),
]
OutputParts = Annotated[
    Annotated[Content, Tag("<string>")] | Annotated[list[OutputPart], Tag("<array>")],
    Discriminator(text_or_list),
]


class InputMessage(Said):
    """What a model is told."""

    id: ItemId | None = None
    type: Literal["message"] = "message"
    status: ItemStatus | None = "completed"
    role: Literal["user", "system", "developer"]
    content: InputParts


class AssistantMessage(Said):
    """What a model said."""

    id: ItemId | None = None
    type: Literal["message"] = "message"
    status: ItemStatus | None = "completed"
    role: Literal["assistant"]
    content: OutputParts


class FunctionCall(Said):
    """A model's call of a function."""

    id: ItemId | None = None
    type: Literal["function_call"]
    status: ItemStatus | None = "completed"
    call_id: CallId
    name: Annotated[str, Field(min_length=1, max_length=128)]
    arguments: Content


class FunctionCallOutput(Said):
    """What a function returned."""

    id: ItemId | None = None
    type: Literal["function_call_output"]
    status: ItemStatus | None = "completed"
    call_id: CallId
    output: InputParts


class Reasoning(Said):
    """What a model thought before it spoke."""

    id: ItemId | None = None
    type: Literal["reasoning"]
    status: ItemStatus | None = "completed"
    summary: list[SummaryText] = Field(default_factory=list)
    content: list[ReasoningText] | None = None
    encrypted_content: Content | None = None


InputItem = Annotated[
    Annotated[InputMessage, Tag("<message>")]
    | Annotated[AssistantMessage, Tag("<message of assistant>")]
    | Annotated[FunctionCall, Tag("<function_call>")]
    | Annotated[FunctionCallOutput, Tag("<function_call_output>")]
    | Annotated[Reasoning, Tag("<reasoning>")],
    Discriminator(item_type),
]
