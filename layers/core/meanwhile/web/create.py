"""From the body of a create call to the request that is stored: checked, and in its normal form.

The body of a count is a part of it, and takes the same way.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.ids import new_id
from meanwhile.domain.request import Json, Request
from meanwhile.operations.resolve import refuse_unfit
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.body import parse_object
from meanwhile.web.capabilities import check_model
from meanwhile.web.schemas.create import CountInputTokens, CreateResponse
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
}

_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs")

_SAME = (
    *_SAMPLING,
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
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
    request = _read(checked(CreateResponse, body), catalogue)
    said = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return request, hashlib.sha256(said.encode()).digest()


def to_counted(raw: bytes, catalogue: Catalogue) -> Request:
    """Return what a body asks to count; its model may be none.

    Raises:
        InvalidRequest: Something is wrong with it, for the same reasons as with the body of a create call.
    """
    return _read(checked(CountInputTokens, parse_object(raw)), catalogue)


def _read(body: CountInputTokens, catalogue: Catalogue) -> Request:
    """Return the request; the body of a count need not name a model."""
    tools = [_tool(tool) for tool in body.tools or []]
    _check_tools(body, [tool["name"] for tool in tools])
    given = {name: getattr(body, name, None) for name in _SAME}
    said: dict[str, Any] = {"model": ""} | {name: each for name, each in given.items() if each is not None}
    request = Request(
        input=_items(body),
        tools=tools,
        tool_choice=_plain(body.tool_choice or "auto"),
        text=_text(body),
        reasoning=_reasoning(body.reasoning),
        conversation=body.conversation if isinstance(body.conversation, str | None) else body.conversation.id,
        sampling=[name for name in _SAMPLING if name in said],
        **said,
    )
    refuse_unfit(request)
    if body.model is not None:
        check_model(request, catalogue.find(body.model))
    return request


def _items(body: CountInputTokens) -> list[Json]:
    """Return the input as `input_items` lists it: every item with an id, content always as parts."""
    if isinstance(body.input, str):
        return [_item({"type": "message", "role": "user", "content": body.input, "status": "completed"})]
    items = to_items(body.input or ())
    _check_calls(items, is_whole=body.conversation is None and body.previous_response_id is None)
    return items


def to_items(said: Sequence[BaseModel], param: str = "input") -> list[Json]:
    """Return items in the form that is stored; `param` is what they came in.

    Raises:
        InvalidRequest: An id comes twice.
    """
    items = [_item(item.model_dump(exclude_none=True)) for item in said]
    _check_ids(items, param)
    return items


def renamed(item: Json) -> Json:
    """Return an item under a new id: what is added to a conversation must have one that is new to it."""
    return {**item, "id": new_id(_PREFIX[item["type"]])}


def _item(said: Json) -> Json:
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


def _check_ids(items: Sequence[Json], what: str) -> None:
    """Refuse an id that comes twice: pages of items continue after an id."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item["id"] in seen:
            param = f"{what}[{index}].id"
            raise InvalidRequest(f"Duplicate item id at '{param}'.", param=param, code="invalid_value")
        seen.add(item["id"])


def _check_calls(items: Sequence[Json], *, is_whole: bool) -> None:
    """Refuse outputs without a call before them and calls without an output: no model takes them.

    What continues a thread is not the whole: its calls may stand there.
    """
    waiting: set[str] = set()
    called: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            waiting.add(item["call_id"])
            called.add(item["call_id"])
        elif item["type"] == "function_call_output":
            if is_whole and item["call_id"] not in called:
                raise InvalidRequest(
                    f"No tool call found for function call output with call_id {item['call_id']}.",
                    param="input",
                )
            waiting.discard(item["call_id"])
    if waiting:
        raise InvalidRequest(
            f"No tool output found for function call {min(waiting)}.",
            param="input",
        )


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
