"""Tools, formats and the like: how the model is to answer."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from meanwhile.web.params import TAG
from meanwhile.web.schemas.base import (
    STRING,
    FunctionName,
    NotYet,
    Setting,
    by_type,
    listed,
    only,
    text_or_object,
)

MAX_TOOLS = 128
"""As in the API."""

MIN_THRESHOLD = 1_000
"""Tokens; as in the API. Below, a summary is hardly shorter than what it stands for."""


class FunctionTool(Setting):
    """A function that the model may ask the caller to call."""

    type: Literal["function"]
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    allowed_callers: Annotated[list[Literal["direct"]], listed(most=16)] | None = None
    defer_loading: Literal[False] | None = None
    async_: Annotated[Literal[False] | None, Field(alias="async")] = None
    output_schema: NotYet = None


class FunctionChoice(Setting):
    """This function and no other."""

    type: Literal["function"]
    name: FunctionName


class AllowedTools(Setting):
    """Some of the tools."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[FunctionChoice], listed(least=1, most=MAX_TOOLS)]


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag(STRING)]
    | Annotated[FunctionChoice, Tag(f"{TAG}function")]
    | Annotated[AllowedTools, Tag(f"{TAG}allowed_tools")],
    Discriminator(text_or_object),
]


class PlainText(Setting):
    """Text as the model likes it."""

    type: Literal["text"]


class JsonObject(Setting):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchema(Setting):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    name: FunctionName
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None
    description: str | None = None


TextFormat = Annotated[
    Annotated[PlainText, Tag(f"{TAG}text")]
    | Annotated[JsonObject, Tag(f"{TAG}json_object")]
    | Annotated[JsonSchema, Tag(f"{TAG}json_schema")],
    Discriminator(by_type),
]


class Text(Setting):
    """How the text is to be."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(Setting):
    """How much the model is to think."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    """The older name of `summary`."""
    context: Annotated[Literal["auto", "current_turn", "all_turns"] | None, only("auto")] = None
    """Which earlier thoughts the model sees: what the provider shows it, and no choice here."""
    mode: Annotated[str | None, only("standard")] = None


class ContextManagement(Setting):
    """When what the model would be shown is compacted before it is asked."""

    type: Literal["compaction"]
    compact_threshold: Annotated[int, Field(ge=MIN_THRESHOLD, le=2**31 - 1)] | None = None
    """Tokens; null is four fifths of the model's window."""


class StreamOptions(Setting):
    """How the stream is to be."""

    include_obfuscation: bool | None = None
    """Padding against who counts bytes; taken, and none is added."""
