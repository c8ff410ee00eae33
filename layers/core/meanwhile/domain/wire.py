"""The API's own shapes: the response object, and the events a history stands for.

Shapes and orders are those of recorded traffic and of the Open Responses specification. Keys are always
present; numbers are never null.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meanwhile.domain.answer import Answer, Item
from meanwhile.domain.facts import (
    FIRST_FACT_SEQ,
    FUNCTION_CALL,
    REASONING,
    REFUSAL,
    Delta,
    Fact,
    GivenUp,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    Started,
    TextDone,
    from_compact,
    to_compact,
)
from meanwhile.domain.model_events import Usage
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Record, Status

Json = dict[str, Any]

_TEXT_EVENT = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
    "arguments": "response.function_call_arguments",
}


def response_object(
    head: Head, request: Request, status: Status, output: list[Json], end: Ended | None
) -> Json:
    """Return the whole response object as `GET /responses/{id}` shows it."""
    completed = end is not None and end.status is Status.COMPLETED
    failed = end is not None and end.status is Status.FAILED
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created_at,
        "completed_at": end.at if end and completed else None,
        "status": status.value,
        "background": head.background,
        "error": {"code": end.code, "message": end.message} if end and failed else None,
        "incomplete_details": {"reason": end.reason} if end and end.reason else None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "model": request.model,
        "output": output,
        "parallel_tool_calls": request.parallel_tool_calls,
        "previous_response_id": None,
        "conversation": None,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": None, "summary": None} | (request.reasoning or {}),
        "safety_identifier": request.safety_identifier,
        "service_tier": "default" if end else request.service_tier,
        "store": request.store,
        "temperature": request.temperature,
        "text": request.text,
        "tool_choice": request.tool_choice,
        "tools": list(request.tools),
        "top_logprobs": request.top_logprobs,
        "top_p": request.top_p,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "truncation": request.truncation,
        "usage": usage_object(end.usage) if end and end.usage else None,
        "user": request.user,
        "metadata": dict(request.metadata),
    }


def of_answer(head: Head, request: Request, answer: Answer) -> Json:
    """Return the response object as of an answer folded from the log."""
    return response_object(head, request, answer.status, answer.output(), answer.end)


def of_record(record: Record, result: Mapping[str, Any]) -> Json:
    """Return the response object of an ended response from its stored result, without its log."""
    end = from_compact(result["end"])
    if record.request is None or not isinstance(end, Ended):
        raise TypeError("a result belongs to a request and an end")
    return response_object(record.head, record.request, end.status, result["output"], end)


def result_of(answer: Answer, end: Ended) -> Json:
    """Return what is stored when a response ends: all that its log said that readers still want."""
    return {"output": answer.output(), "end": to_compact(end)}


def usage_object(usage: Usage) -> Json:
    """Return token counts in the API's shape."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def events(head: Head, request: Request, facts: Iterable[Fact]) -> Iterator[Json]:
    """Yield every wire event of a history, from sequence number 0, exactly as a live reader gets them."""
    answer = Answer(head.id, head.background)
    second = "response.queued" if head.background else "response.in_progress"
    yield {"type": "response.created", "sequence_number": 0, "response": of_answer(head, request, answer)}
    yield {"type": second, "sequence_number": 1, "response": of_answer(head, request, answer)}
    for seq, fact in enumerate(facts, start=FIRST_FACT_SEQ):
        answer.apply(fact)
        yield _event(head, request, answer, fact) | {"sequence_number": seq}


def _event(head: Head, request: Request, answer: Answer, fact: Fact) -> Json:
    match fact:
        case Started():
            return {"type": "response.in_progress", "response": of_answer(head, request, answer)}
        case Ended(status=status):
            # There is no `response.cancelled` event: SDKs turn unknown types into a wrong class.
            name = "failed" if status is Status.CANCELLED else status.value
            return {"type": f"response.{name}", "response": of_answer(head, request, answer)}
        case ItemAdded():
            index = len(answer.items) - 1
            return _of_item("response.output_item.added", index, answer.items[index])
        case ItemDone(index) | GivenUp(index):
            return _of_item("response.output_item.done", index, answer.items[index])
        case PartAdded(index) | PartDone(index):
            name = "added" if isinstance(fact, PartAdded) else "done"
            item = answer.items[index]
            return {"type": f"response.content_part.{name}", "part": item.parts[-1].to_json()} | _place(
                index, item
            )
        case Delta(index, text):
            item = answer.items[index]
            kind = item.parts[-1].kind
            logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
            return {"type": f"{_TEXT_EVENT[kind]}.delta", "delta": text} | logprobs | _place(index, item)
        case TextDone(index):
            return _text_done(index, answer.items[index])


def _of_item(name: str, index: int, item: Item) -> Json:
    return {"type": name, "output_index": index, "item": item.to_json()}


def _text_done(index: int, item: Item) -> Json:
    part = item.parts[-1]
    place = {"type": f"{_TEXT_EVENT[part.kind]}.done"} | _place(index, item)
    if item.kind == FUNCTION_CALL:
        return place | {"name": item.name, "arguments": part.text}
    if part.kind == REFUSAL:
        return place | {"refusal": part.text}
    return place | {"text": part.text} | ({} if item.kind == REASONING else {"logprobs": []})


def _place(index: int, item: Item) -> Json:
    place: Json = {"item_id": item.id, "output_index": index}
    return place if item.kind == FUNCTION_CALL else place | {"content_index": len(item.parts) - 1}
