"""How the model is to answer: from the schemas of a body to what is stored."""

from collections.abc import Sequence

from pydantic import BaseModel

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json, Request
from meanwhile.domain.window import Window
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.schemas.create import CountInputTokens
from meanwhile.web.schemas.options import (
    AllowedTools,
    FunctionChoice,
    FunctionTool,
    JsonSchema,
    ReasoningOptions,
)

_SHARE_OF_ROOM = 80
"""Percent of what a model may read above which is compacted where no number is given."""


def check_tools(body: CountInputTokens, names: Sequence[str]) -> None:
    """Refuse tools of one name, and a choice that is not among them.

    Raises:
        InvalidRequest: `param` names what.
    """
    known: set[str] = set()
    for index, name in enumerate(names):
        if name in known:
            param = f"tools[{index}].name"
            raise InvalidRequest(f"Duplicate tool name at '{param}'.", param=param, code="invalid_value")
        known.add(name)
    choice = body.tool_choice
    if isinstance(choice, FunctionChoice) and choice.name not in known:
        raise _not_among_tools("tool_choice.name")
    if isinstance(choice, AllowedTools):
        for index, tool in enumerate(choice.tools):
            if tool.name not in known:
                raise _not_among_tools(f"tool_choice.tools[{index}].name")
    if choice == "required" and not names:
        raise InvalidRequest("Tool choice 'required' must be specified with 'tools'.", param="tool_choice")


def _not_among_tools(param: str) -> InvalidRequest:
    return InvalidRequest(f"'{param}' is not among the tools.", param=param, code="invalid_value")


def tool_of(tool: FunctionTool) -> Json:
    """Return a tool as it is stored and echoed."""
    return tool.model_dump(include={"type", "name", "description", "parameters", "strict"})


def thresholds_of(body: CountInputTokens, catalogue: Catalogue) -> list[Json]:
    """Return the entries of `context_management`, each with its number.

    Raises:
        InvalidRequest: One has no number, and the window of the model is not known.
    """
    found: list[Json] = []
    for index, entry in enumerate(getattr(body, "context_management", None) or ()):
        most = entry.compact_threshold
        if most is None:
            window = _window_of(body, catalogue)
            if not window.is_known:
                param = f"context_management[{index}].compact_threshold"
                raise InvalidRequest(
                    f"Missing required parameter: '{param}'. The window of this model is not known.",
                    param=param,
                    code="missing_required_parameter",
                )
            most = window.room * _SHARE_OF_ROOM // 100
        found.append({"type": entry.type, "compact_threshold": most})
    return found


def _window_of(body: CountInputTokens, catalogue: Catalogue) -> Window:
    asked = Request(
        model=body.model or "", input=[], max_output_tokens=getattr(body, "max_output_tokens", None)
    )
    catalogue.find(asked.model)
    return catalogue.window_for(asked, otherwise=0)


def plain_choice(choice: str | BaseModel) -> str | Json:
    """Return the choice of a tool as JSON."""
    return choice if isinstance(choice, str) else choice.model_dump()


def text_of(body: CountInputTokens) -> Json:
    """Return the format with all its keys, as it is echoed; the verbosity only if one was given."""
    wanted = body.text.format if body.text else None
    if isinstance(wanted, JsonSchema):
        text: Json = {"format": wanted.model_dump(by_alias=True)}
    else:
        text = {"format": {"type": wanted.type if wanted else "text"}}
    if body.text and body.text.verbosity:
        text["verbosity"] = body.text.verbosity
    return text


def reasoning_of(options: ReasoningOptions | None) -> Json | None:
    """Return how much the model is to think; `None` if nothing was said of it."""
    if options is None:
        return None
    said = {"effort": options.effort, "summary": options.summary or options.generate_summary}
    return {name: value for name, value in said.items() if value is not None} or None
