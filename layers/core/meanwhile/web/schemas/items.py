"""Input items: what was said, called and returned so far."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

from meanwhile.domain.files import MAX_CHARACTERS, MAX_NAME, TAKEN, refusal_of
from meanwhile.web.params import TAG
from meanwhile.web.schemas.base import (
    ARRAY,
    MAX_PARTS,
    STRING,
    CallId,
    Content,
    ItemId,
    ItemStatus,
    NotYet,
    Said,
    by_type,
    instead,
    item_type,
    listed,
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


def _whole(url: str) -> str:
    """Take a file that can be shown to some model at least."""
    if refusal := refusal_of(url):
        raise PydanticCustomError("file", "{refusal}", {"refusal": refusal})
    return url


class InputFile(Said):
    """A text or PDF file for the model to read, whole, as a data URL."""

    type: Literal["input_file"]
    file_id: Annotated[None, instead("no files are kept apart; send the file itself in 'file_data'")] = None
    file_url: Annotated[None, instead("nothing is fetched; send the file itself in 'file_data'")] = None
    filename: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    file_data: Annotated[
        str,
        Field(
            max_length=MAX_CHARACTERS,
            description=f"A data URL, `data:<media type>;base64,<data>`. Taken are {TAKEN}.",
            json_schema_extra={"pattern": "^data:[^,]+;base64,"},
        ),
        AfterValidator(_whole),
    ]
    detail: Literal["auto", "low", "high"] | None = None
    """Taken and not used: how a PDF is shown is the provider's choice."""


Objects = Annotated[list[dict[str, Any]], listed(most=100_000)]
"""Any that a provider has made; as many as an answer has tokens."""


class OutputText(Said):
    """Text that a model wrote."""

    type: Literal["output_text"]
    text: Content
    annotations: Objects | None = Field(default_factory=list)
    logprobs: Objects | None = Field(default_factory=list)

    @field_validator("annotations", "logprobs")
    @classmethod
    def _never_null(cls, given: Objects | None) -> Objects:
        """Take `null` for none of them: readers are promised a list."""
        return given or []


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
    Annotated[InputText, Tag(f"{TAG}input_text")]
    | Annotated[InputImage, Tag(f"{TAG}input_image")]
    | Annotated[InputFile, Tag(f"{TAG}input_file")],
    Discriminator(by_type),
]
OutputPart = Annotated[
    Annotated[OutputText, Tag(f"{TAG}output_text")] | Annotated[Refusal, Tag(f"{TAG}refusal")],
    Discriminator(by_type),
]
InputParts = Annotated[
    Annotated[Content, Tag(STRING)] | Annotated[list[InputPart], listed(least=1, most=MAX_PARTS), Tag(ARRAY)],
    Discriminator(text_or_list),
]
OutputParts = Annotated[
    Annotated[Content, Tag(STRING)] | Annotated[list[OutputPart], listed(most=MAX_PARTS), Tag(ARRAY)],
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
    summary: Annotated[list[SummaryText], listed(most=MAX_PARTS)] = Field(default_factory=list)
    content: Annotated[list[ReasoningText], listed(most=MAX_PARTS)] | None = None
    encrypted_content: Content | None = None


class Compaction(Said):
    """What stands for everything before it: made here, and opened here alone."""

    id: ItemId | None = None
    type: Literal["compaction"]
    encrypted_content: Content


InputItem = Annotated[
    Annotated[InputMessage, Tag(f"{TAG}message")]
    | Annotated[AssistantMessage, Tag(f"{TAG}message of assistant")]
    | Annotated[FunctionCall, Tag(f"{TAG}function_call")]
    | Annotated[FunctionCallOutput, Tag(f"{TAG}function_call_output")]
    | Annotated[Reasoning, Tag(f"{TAG}reasoning")]
    | Annotated[Compaction, Tag(f"{TAG}compaction")],
    Discriminator(item_type),
]
