"""Turns what pydantic found wrong into the API's own errors, which name the parameter, never its value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from meanwhile.domain.errors import InvalidRequest
from meanwhile.web.params import TAG, param_of

_Model = TypeVar("_Model", bound=BaseModel)

_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a decimal",
    "bool_type": "a boolean",
    "bool_parsing": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}

_TAG = repr(TAG).strip("'")
"""As pydantic writes it where it lists the tags it knows."""

_TEXT_OR_OBJECT = {"text_or_object()", "text_or_any_object()"}

_ROLES = "'user', 'assistant', 'system' or 'developer'"

_NOT_YET = {
    "additional_tools",
    "apply_patch",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter",
    "code_interpreter_call",
    "compaction_trigger",
    "computer",
    "computer_call",
    "computer_call_output",
    "computer_use_preview",
    "custom",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search",
    "file_search_call",
    "image_generation",
    "image_generation_call",
    "input_audio",
    "item_reference",
    "local_shell",
    "local_shell_call",
    "local_shell_call_output",
    "mcp",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "namespace",
    "shell",
    "shell_call",
    "shell_call_output",
    "tool_search",
    "tool_search_call",
    "tool_search_output",
    "web_search",
    "web_search_call",
    "web_search_preview",
}
"""Types that the API has and this service has not: words of the API, so an error may repeat them."""


def checked(model: type[_Model], found: Mapping[str, Any]) -> _Model:
    """Return what the caller sent as a model.

    Raises:
        InvalidRequest: The first thing that is wrong with it.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)) from None


def invalid(errors: Sequence[Any], *, skip: int = 0) -> InvalidRequest:
    """Return the first of pydantic's errors as ours, without the first `skip` steps of its path."""
    first = errors[0]
    path = tuple(first["loc"])[skip:]
    read: _Reader = _READERS.get(str(first["type"]), _other)
    return read(first, path)


def _missing(_: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    return _error(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def _unknown(_: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    return _error(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def _unavailable(_: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    return _error(f"'{param}' is not available yet.", param, "unsupported_parameter")


def _instead(error: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    message = f"'{param}' is not available yet: {error['ctx']['advice']}."
    return _error(message, param, "unsupported_parameter")


def _file(error: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    return _error(f"Invalid file in '{param}'. {error['ctx']['refusal']}", param, "invalid_value")


def _type(error: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    expected = _EXPECTED[error["type"]]
    return _error(f"Invalid type for '{param}': expected {expected}.", param, "invalid_type")


def _literal(error: Mapping[str, Any], path: tuple[Any, ...]) -> InvalidRequest:
    if path[-1] == "role":
        return _value(_ROLES, path)
    if path[-1] == "type":
        return _of_type(error["input"], error["ctx"]["expected"], path)
    return _value(error["ctx"]["expected"], path)


def _no_member(error: Mapping[str, Any], path: tuple[Any, ...]) -> InvalidRequest:
    """No member of a union fits."""
    tags = [tag.strip("'").removeprefix(_TAG) for tag in error["ctx"].get("expected_tags", "").split(", ")]
    if error["ctx"]["discriminator"] == "text_or_list()":
        param = param_of(path)
        return _error(f"Invalid type for '{param}': expected a string or an array.", param, "invalid_type")
    found = error["input"]
    if not isinstance(found, dict):
        expected = (
            "a string or an object" if error["ctx"]["discriminator"] in _TEXT_OR_OBJECT else "an object"
        )
        param = param_of(path)
        return _error(f"Invalid type for '{param}': expected {expected}.", param, "invalid_type")
    if "type" not in found:
        return _missing(error, (*path, "type"))
    supported = ", ".join(f"'{tag}'" for tag in tags if tag not in {"", "string"} and " " not in tag)
    return _of_type(found["type"], supported, (*path, "type"))


def _of_type(found: Any, supported: str, path: tuple[Any, ...]) -> InvalidRequest:
    if isinstance(found, str) and found in _NOT_YET:
        return _error(f"'{found}' is not available yet.", param_of(path), "invalid_value")
    return _value(supported, path)


def _value(supported: str, path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    hint = f" Supported values are: {supported}." if supported else ""
    return _error(f"Invalid value for '{param}'.{hint}", param, "invalid_value")


def _number(error: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    below = error["type"] == "greater_than_equal"
    limit = error["ctx"]["ge" if below else "le"]
    kind = "decimal" if isinstance(limit, float) else "integer"
    param = param_of(path)
    what, sign, code = ("below minimum", ">=", "below_min") if below else ("above maximum", "<=", "above_max")
    return _error(
        f"Invalid '{param}': {kind} {what} value. Expected a value {sign} {limit:.10g}.",
        param,
        f"{kind}_{code}_value",
    )


def _size(error: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    context, param = error["ctx"], param_of(path)
    kind = {"list": "array", "dictionary": "object"}.get(str(context.get("field_type", "")).lower(), "string")
    unit = "properties" if kind == "object" else "length"
    if error["type"].endswith("long"):
        limit = context["max_length"]
        message = f"Invalid '{param}': {kind} too long. Expected at most {limit}."
        return _error(message, param, f"{kind}_above_max_{unit}")
    message = f"Invalid '{param}': empty {kind}. Expected at least {context['min_length']}."
    return _error(message, param, f"empty_{kind}")


def _pattern(error: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    param = param_of(path)
    wanted = error["ctx"]["pattern"]
    return _error(f"Invalid '{param}': string does not match the pattern '{wanted}'.", param, "invalid_value")


def _other(_: Mapping[str, Any], path: Iterable[Any]) -> InvalidRequest:
    return _value("", path)


def _error(message: str, param: str | None, code: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code=code)


_Reader = Callable[[Mapping[str, Any], Any], InvalidRequest]

_READERS: dict[str, _Reader] = {
    **dict.fromkeys(_EXPECTED, _type),
    "missing": _missing,
    "extra_forbidden": _unknown,
    "none_required": _unavailable,
    "instead": _instead,
    "file": _file,
    "literal_error": _literal,
    "union_tag_invalid": _no_member,
    "union_tag_not_found": _no_member,
    "greater_than_equal": _number,
    "less_than_equal": _number,
    "string_too_long": _size,
    "string_too_short": _size,
    "too_long": _size,
    "too_short": _size,
    "string_pattern_mismatch": _pattern,
}
