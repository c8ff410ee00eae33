"""From the body of a create call to the request that is stored: checked, and in its normal form.

The body of a count is a part of it, and takes the same way.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from meanwhile.domain.calls import check_calls
from meanwhile.domain.compaction import last_compaction
from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.ids import new_item_id
from meanwhile.domain.request import Json, Request
from meanwhile.domain.window import no_input
from meanwhile.operations.threads.resolve import refuse_unfit
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.body import parse_object
from meanwhile.web.capabilities import check_model
from meanwhile.web.options import check_tools, plain_choice, reasoning_of, text_of, thresholds_of, tool_of
from meanwhile.web.schemas.create import CompactResponse, CountInputTokens, CreateResponse, Input
from meanwhile.web.validation import checked

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
    wanted = checked(CreateResponse, body)
    if wanted.input is None and wanted.conversation is None and wanted.previous_response_id is None:
        raise no_input()
    return _read(wanted, catalogue), _digest(body)


def to_compact(raw: bytes, catalogue: Catalogue) -> tuple[Request, bytes]:
    """Return what a body asks to compact, as a response that is hidden and not stored, and its digest.

    Raises:
        InvalidRequest: Something is wrong with it; `param` names what.
    """
    body = parse_object(raw)
    wanted = checked(CompactResponse, body)
    if wanted.input is None and wanted.previous_response_id is None:
        raise no_input()
    request = Request(
        model=wanted.model,
        input=_items(wanted.input, is_whole=wanted.previous_response_id is None, open_calls=True),
        instructions=wanted.instructions,
        previous_response_id=wanted.previous_response_id,
        prompt_cache_key=wanted.prompt_cache_key,
        store=False,
        is_compaction=True,
    )
    refuse_unfit(request)
    check_model(request, catalogue.find(wanted.model))
    return request, _digest({"compact": body})


def _digest(body: Json) -> bytes:
    said = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


def to_counted(raw: bytes, catalogue: Catalogue) -> Request:
    """Return what a body asks to count; its model may be none.

    Raises:
        InvalidRequest: Something is wrong with it, for the same reasons as with the body of a create call.
    """
    return _read(checked(CountInputTokens, parse_object(raw)), catalogue)


def _read(body: CountInputTokens, catalogue: Catalogue) -> Request:
    """Return the request; the body of a count need not name a model."""
    tools = [tool_of(tool) for tool in body.tools or []]
    check_tools(body, [tool["name"] for tool in tools])
    given = {name: getattr(body, name, None) for name in _SAME}
    said: dict[str, Any] = {"model": ""} | {name: each for name, each in given.items() if each is not None}
    request = Request(
        input=_items(body.input, is_whole=body.conversation is None and body.previous_response_id is None),
        tools=tools,
        tool_choice=plain_choice(body.tool_choice or "auto"),
        text=text_of(body),
        reasoning=reasoning_of(body.reasoning),
        conversation=body.conversation if isinstance(body.conversation, str | None) else body.conversation.id,
        sampling=[name for name in _SAMPLING if name in said],
        context_management=thresholds_of(body, catalogue),
        **said,
    )
    refuse_unfit(request)
    if body.model is not None:
        check_model(request, catalogue.find(body.model))
    return request


def _items(said: Input | None, *, is_whole: bool, open_calls: bool = False) -> list[Json]:
    """Return the input as `input_items` lists it: every item with an id, content always as parts."""
    if isinstance(said, str):
        return [_item({"type": "message", "role": "user", "content": said, "status": "completed"})]
    items = to_items(said or ())
    if last_compaction(items) is None:  # else calls may be in it: see `operations/context/expand.py`
        check_calls(items, is_whole=is_whole, open_calls=open_calls)
    return items


def to_items(said: Sequence[BaseModel], param: str = "input") -> list[Json]:
    """Return items in the form that is stored; `param` is what they came in.

    Raises:
        InvalidRequest: An id comes twice.
    """
    items = [_item(item.model_dump(exclude_none=True)) for item in said]
    _check_ids(items, param)
    return items


def _item(said: Json) -> Json:
    if said["type"] == "compaction":
        return {"id": new_item_id("compaction")} | said
    content = said.get("content")
    if isinstance(content, str):
        said["content"] = [_part(content, written=said["role"] == "assistant")]
    first = {"id": said.get("id") or new_item_id(said["type"]), "type": said["type"]}
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
