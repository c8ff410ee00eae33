"""What all schemas of requests have in common."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

MAX_STRING = 10_485_760
"""Characters of one string of content: 10 MiB."""

Content = Annotated[str, Field(max_length=MAX_STRING)]
ItemId = Annotated[str, Field(min_length=1, max_length=128)]
CallId = Annotated[str, Field(min_length=1, max_length=256)]
FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
ItemStatus = Literal["in_progress", "completed", "incomplete"]
NotYet: TypeAlias = None
"""The type of a parameter that is known but not available yet: only null is taken."""

Includable = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]


class Setting(BaseModel):
    """Configuration: a name it does not know is refused, for leaving it out would change the meaning."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Said(BaseModel):
    """Part of a conversation: SDKs add names of their own to what they send back, and those are dropped."""

    model_config = ConfigDict(strict=True, extra="ignore")


def _type_of(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else getattr(value, "type", None)


def by_type(value: Any) -> str | None:
    """Tell the members of a union apart. Tags stand in angle brackets, so that no path confuses them."""
    found = _type_of(value)
    return f"<{found}>" if isinstance(found, str) else None


def text_or_list(value: Any) -> str | None:
    """Tell a string from a list."""
    if isinstance(value, str):
        return "<string>"
    return "<array>" if isinstance(value, list) else None


def text_or_object(value: Any) -> str | None:
    """Tell a string from an object, and objects by their type."""
    return "<string>" if isinstance(value, str) else by_type(value)


def item_type(value: Any) -> str | None:
    """Tell items apart. A message needs no type; an assistant's has other parts than those it reads."""
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    if _type_of(value) == "message" or (_type_of(value) is None and role is not None):
        return "<message of assistant>" if role == "assistant" else "<message>"
    return by_type(value)
