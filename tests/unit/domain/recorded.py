"""What recorded traffic of the API shows, written down: orders, keys, and what may be null.

From two recordings of February 2026 in background mode, a text answer (streamed) and one with a function
call (polled). `test_recorded_traffic.py` compares these with the recordings wherever they are at hand.
"""

from typing import Any

TEXT_STREAM: list[tuple[str, set[str]]] = [
    ("response.created", {"response"}),
    ("response.queued", {"response"}),
    ("response.in_progress", {"response"}),
    ("response.output_item.added", {"output_index", "item"}),
    ("response.content_part.added", {"item_id", "output_index", "content_index", "part"}),
    ("response.output_text.delta", {"item_id", "output_index", "content_index", "delta", "logprobs"}),
    ("response.output_text.done", {"item_id", "output_index", "content_index", "text", "logprobs"}),
    ("response.content_part.done", {"item_id", "output_index", "content_index", "part"}),
    ("response.output_item.done", {"output_index", "item"}),
    ("response.completed", {"response"}),
]
"""Type and keys of every event, besides `type` and `sequence_number`; all deltas count as one."""

MESSAGE_KEYS = {"id", "type", "status", "role", "content"}
CALL_KEYS = {"id", "type", "status", "call_id", "name", "arguments"}
PART_KEYS = {"type", "text", "annotations", "logprobs"}
USAGE_KEYS = {
    "input_tokens",
    "input_tokens_details",
    "output_tokens",
    "output_tokens_details",
    "total_tokens",
}

ALWAYS: dict[str, type] = {
    "id": str,
    "object": str,
    "created_at": int,
    "status": str,
    "background": bool,
    "frequency_penalty": float,
    "model": str,
    "output": list,
    "parallel_tool_calls": bool,
    "presence_penalty": float,
    "reasoning": dict,
    "service_tier": str,
    "store": bool,
    "temperature": float,
    "text": dict,
    "tool_choice": str,
    "tools": list,
    "top_logprobs": int,
    "top_p": float,
    "truncation": str,
    "metadata": dict,
}
"""Keys of the response object that are never null, and what they hold."""

NULL_UNLESS_ASKED = {
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "user",
}
"""Keys that are there and null in both recordings."""

NULL_UNTIL_COMPLETED: dict[str, type] = {"completed_at": int, "usage": dict}

NOT_OURS = {"prompt_cache_retention", "billing"}
"""Keys of the recordings that the Open Responses specification does not have."""

SERVICE_TIER = {"queued": "auto", "in_progress": "auto", "completed": "default"}


def check_response(response: dict[str, Any]) -> None:
    """Fail unless a response object, of whatever status, has the shape of the recorded ones."""
    assert set(response) - NOT_OURS - {"conversation"} == {*ALWAYS, *NULL_UNLESS_ASKED, *NULL_UNTIL_COMPLETED}
    assert {key: type(response[key]) for key in ALWAYS} == ALWAYS
    assert {key for key in NULL_UNLESS_ASKED if response[key] is not None} == set()
    completed = response["status"] == "completed"
    for key, kind in NULL_UNTIL_COMPLETED.items():
        assert type(response[key]) is (kind if completed else type(None))
    assert response["service_tier"] == SERVICE_TIER[response["status"]]
    assert response["text"]["format"] == {"type": "text"}
    assert response["reasoning"] == {"effort": None, "summary": None}
    if completed:
        assert set(response["usage"]) == USAGE_KEYS
