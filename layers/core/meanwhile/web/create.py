"""From the body of a create call to the request that is stored: checked, and in its normal form.

The body of a count is a part of it, and takes the same way.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from meanwhile.domain.calls import check_calls
from meanwhile.domain.compaction import PREFIX, last_compaction
from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.ids import new_id
from meanwhile.domain.request import Json, Request
from meanwhile.providers.catalogue import UNKNOWN_ENCODING, Catalogue, ModelEntry
from meanwhile.web.body import parse_object
from meanwhile.web.capabilities import check_model
from meanwhile.web.schemas.create import CompactResponse, CountInputTokens, CreateResponse, Input
from meanwhile.web.schemas.options import (
    AllowedTools,
    FunctionChoice,
    FunctionTool,
    JsonSchema,
    ReasoningOptions,
)
from meanwhile.web.validation import checked

_PREFIX = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "compaction": PREFIX,
}

_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs")

_SHARE_OF_WINDOW = 80
"""Percent of a model's window above which is compacted where no number is given."""

_SAME = (
    *_SAMPLING,
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "store",
    "stream",
    "truncation",
    "user",
)
"""Parameters that are stored as they come, where they come."""


def to_request(raw: bytes, catalogue: Catalogue) -> Request:
    """Return what a body asks for.

    Raises:
        InvalidRequest: Something is wrong with it; `param` names what.
    """
    return to_asked(raw, catalogue)[0]


def to_asked(raw: bytes, catalogue: Catalogue) -> tuple[Request, bytes]:
    """Return what a body asks for, and a digest of its JSON, by which it is known when it comes again.

    The digest depends neither on how the JSON is written nor on the ids that items are given here.

    Raises:
        InvalidRequest: Something is wrong with it; `param` names what.
    """
    body = parse_object(raw)
    request, _ = _read(checked(CreateResponse, body), catalogue)
    return request, _digest(body)


def to_compact(raw: bytes, catalogue: Catalogue) -> tuple[Request, bytes]:
    """Return what a body asks to compact, as a response that is hidden and not stored, and its digest.

    Raises:
        InvalidRequest: Something is wrong with it; `param` names what.
    """
    body = parse_object(raw)
    wanted = checked(CompactResponse, body)
    entry = catalogue.find(wanted.model)
    request = Request(
        model=wanted.model,
        input=_items(wanted.input, open_calls=True),
        instructions=wanted.instructions,
        prompt_cache_key=wanted.prompt_cache_key,
        store=False,
        is_compaction=True,
    )
    check_model(request, entry)
    return request, _digest({"compact": body})


def _digest(body: Json) -> bytes:
    said = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


def to_counted(raw: bytes, catalogue: Catalogue) -> tuple[Request, str]:
    """Return what a body asks to count, and the vocabulary of its model.

    Raises:
        InvalidRequest: Something is wrong with it, for the same reasons as with the body of a create call.
    """
    request, entry = _read(checked(CountInputTokens, parse_object(raw)), catalogue)
    return request, entry.encoding if entry else UNKNOWN_ENCODING


def _read(body: CountInputTokens, catalogue: Catalogue) -> tuple[Request, ModelEntry | None]:
    """Return the request and what is known about its model; the body of a count need not name one."""
    tools = [_tool(tool) for tool in body.tools or []]
    _check_tools(body, [tool["name"] for tool in tools])
    given = {name: getattr(body, name, None) for name in _SAME}
    said: dict[str, Any] = {"model": ""} | {name: each for name, each in given.items() if each is not None}
    request = Request(
        input=_items(body.input),
        tools=tools,
        tool_choice=_plain(body.tool_choice or "auto"),
        text=_text(body),
        reasoning=_reasoning(body.reasoning),
        sampling=[name for name in _SAMPLING if name in said],
        context_management=_thresholds(body, catalogue),
        **said,
    )
    entry = None if body.model is None else catalogue.find(body.model)
    if entry:
        check_model(request, entry)
    return request, entry


def _items(said: Input | None, *, open_calls: bool = False) -> list[Json]:
    """Return the input as `input_items` lists it: every item with an id, content always as parts."""
    if isinstance(said, str):
        return [_item({"type": "message", "role": "user", "content": said, "status": "completed"})]
    items = [_item(item.model_dump(exclude_none=True)) for item in said or ()]
    _check_ids(items)
    if last_compaction(items) is None:  # else calls may be in it: see `operations/expand.py`
        check_calls(items, open_calls=open_calls)
    return items


def _item(said: Json) -> Json:
    if said["type"] == "compaction":
        return {"id": new_id(PREFIX)} | said
    content = said.get("content")
    if isinstance(content, str):
        said["content"] = [_part(content, written=said["role"] == "assistant")]
    first = {"id": said.get("id") or new_id(_PREFIX[said["type"]]), "type": said["type"]}
    return (
        first | {"status": "completed"} | {name: value for name, value in said.items() if name not in first}
    )


def _part(text: str, *, written: bool) -> Json:
    if written:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": text}


def _check_ids(items: Sequence[Json]) -> None:
    """Refuse an id that comes twice: pages of items continue after an id."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item["id"] in seen:
            param = f"input[{index}].id"
            raise InvalidRequest(f"Duplicate item id at '{param}'.", param=param, code="invalid_value")
        seen.add(item["id"])


def _check_tools(body: CountInputTokens, names: Sequence[str]) -> None:
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


def _tool(tool: FunctionTool) -> Json:
    return tool.model_dump(include={"type", "name", "description", "parameters", "strict"})


def _thresholds(body: CountInputTokens, catalogue: Catalogue) -> list[Json]:
    """Return the entries of `context_management`, each with its number."""
    found: list[Json] = []
    for index, entry in enumerate(getattr(body, "context_management", None) or ()):
        most = entry.compact_threshold
        if most is None:
            window = catalogue.find(body.model or "").context_window
            if window is None:
                param = f"context_management[{index}].compact_threshold"
                raise InvalidRequest(
                    f"Missing required parameter: '{param}'. The window of this model is not known.",
                    param=param,
                    code="missing_required_parameter",
                )
            most = window * _SHARE_OF_WINDOW // 100
        found.append({"type": entry.type, "compact_threshold": most})
    return found


def _plain(choice: str | BaseModel) -> str | Json:
    return choice if isinstance(choice, str) else choice.model_dump()


def _text(body: CountInputTokens) -> Json:
    """Return the format with all its keys, as it is echoed; the verbosity only if one was given."""
    wanted = body.text.format if body.text else None
    if isinstance(wanted, JsonSchema):
        text: Json = {"format": wanted.model_dump(by_alias=True)}
    else:
        text = {"format": {"type": wanted.type if wanted else "text"}}
    if body.text and body.text.verbosity:
        text["verbosity"] = body.text.verbosity
    return text


def _reasoning(options: ReasoningOptions | None) -> Json | None:
    if options is None:
        return None
    said = {"effort": options.effort, "summary": options.summary or options.generate_summary}
    return {name: value for name, value in said.items() if value is not None} or None
