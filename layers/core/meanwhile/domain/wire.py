"""The response object in the API's own shape: keys always present, numbers never null.

As in recorded traffic and in the Open Responses specification.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from meanwhile.domain.answer import Answer
from meanwhile.domain.facts import Dropped, from_compact, to_compact
from meanwhile.domain.model_events import Usage
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Record, Status

Json = dict[str, Any]


def response_object(
    head: Head,
    request: Request,
    status: Status,
    output: list[Json],
    end: Ended | None,
    dropped: Dropped | None = None,
) -> Json:
    """Return the whole response object as `GET /responses/{id}` shows it.

    `dropped` is an addition of ours, and only there if something was.
    """
    completed = end is not None and end.status is Status.COMPLETED
    failed = end is not None and end.status is Status.FAILED
    return {
        "id": head.id,
        "object": "response",
        "created_at": int(head.created_at),
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
        "previous_response_id": request.previous_response_id,
        "conversation": {"id": request.conversation} if request.conversation else None,
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
    } | ({"dropped": asdict(dropped)} if dropped else {})


def of_answer(head: Head, request: Request, answer: Answer) -> Json:
    """Return the response object as of an answer folded from the log."""
    return response_object(head, request, answer.status, answer.output(), answer.end, answer.dropped)


def of_record(record: Record, result: Mapping[str, Any]) -> Json:
    """Return the response object of an ended response from its stored result, without its log."""
    end = from_compact(result["end"])
    if record.request is None or not isinstance(end, Ended):
        raise TypeError("a result belongs to a request and an end")
    said = from_compact(result["dropped"]) if "dropped" in result else None
    dropped = said if isinstance(said, Dropped) else None
    return response_object(record.head, record.request, end.status, result["output"], end, dropped)


def result_of(answer: Answer, end: Ended) -> Json:
    """Return what is stored when a response ends: all that its log said that readers still want."""
    dropped = {"dropped": to_compact(answer.dropped)} if answer.dropped else {}
    return {"output": answer.output(), "end": to_compact(end)} | dropped


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
