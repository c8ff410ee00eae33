"""What all schemas of requests have in common."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticKnownError

from meanwhile.web.params import TAG

MAX_STRING = 10_485_760
"""Characters of one string of content: 10 MiB."""

MAX_PARTS = 10_000
"""Items of an input, and parts of an item: more than any conversation has."""

Content = Annotated[str, Field(max_length=MAX_STRING)]
ItemId = Annotated[str, Field(min_length=1, max_length=128)]
CallId = Annotated[str, Field(min_length=1, max_length=256)]
FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
ItemStatus = Literal["in_progress", "completed", "incomplete"]
NotYet: TypeAlias = None
"""The type of a parameter that is known but not available yet: only null is taken."""


def only(*honoured: str) -> AfterValidator:
    """Refuse the other words of the API, as a parameter that is not available yet; null is always taken."""

    def check(value: str | None) -> str | None:
        if value is None or value in honoured:
            return value
        raise PydanticKnownError("none_required")

    return AfterValidator(check)


def instead(advice: str) -> BeforeValidator:
    """Take null only, and say what to send instead of anything else."""

    def check(value: Any) -> None:
        if value is not None:
            raise PydanticCustomError("instead", "{advice}", {"advice": advice})

    return BeforeValidator(check)


STRING, ARRAY, OBJECT = f"{TAG}string", f"{TAG}array", f"{TAG}object"

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


# Models are built when they are first needed: a cold start would build many that it has no use for.
_LATER = ConfigDict(strict=True, defer_build=True)


class Setting(BaseModel):
    """Configuration: a name it does not know is refused, for leaving it out would change the meaning."""

    model_config = _LATER | ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _with_one_unknown_name(cls, value: Any) -> Any:
        """Leave one unknown name of many: each is an error of its own, and one says it all."""
        known = {field.alias or name for name, field in cls.model_fields.items()}
        if not isinstance(value, dict) or len(value) <= len(known):
            return value
        unknown = next(name for name in value if name not in known)
        return {name: each for name, each in value.items() if name in known or name == unknown}


class Said(BaseModel):
    """Part of a conversation: SDKs add names of their own to what they send back, and those are dropped."""

    model_config = _LATER | ConfigDict(extra="ignore")


def listed(*, most: int, least: int = 0) -> FieldInfo:
    """Return the bounds of a list. Its first wrong element is its only error: others would say no more."""
    bounds: FieldInfo = Field(min_length=least, max_length=most, fail_fast=True)
    return bounds


def _type_of(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else getattr(value, "type", None)


def by_type(value: Any) -> str | None:
    """Tell the members of a union apart. Tags begin with `TAG`, so that no path confuses them."""
    found = _type_of(value)
    return f"{TAG}{found}" if isinstance(found, str) else None


def text_or_list(value: Any) -> str | None:
    """Tell a string from a list."""
    if isinstance(value, str):
        return STRING
    return ARRAY if isinstance(value, list) else None


def text_or_any_object(value: Any) -> str | None:
    """Tell a string from an object of one kind."""
    if isinstance(value, str):
        return STRING
    return OBJECT if isinstance(value, dict | BaseModel) else None


def text_or_object(value: Any) -> str | None:
    """Tell a string from an object, and objects by their type."""
    return STRING if isinstance(value, str) else by_type(value)


def item_type(value: Any) -> str | None:
    """Tell items apart. A message needs no type; an assistant's has other parts than those it reads."""
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    if _type_of(value) == "message" or (_type_of(value) is None and role is not None):
        return f"{TAG}message of assistant" if role == "assistant" else f"{TAG}message"
    return by_type(value)
