"""Requests for the simulator, in one line."""

from collections.abc import AsyncIterator
from typing import Any

from meanwhile.domain.model_events import (
    ModelEvent,
)
from meanwhile.domain.request import Json, Request

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city"],
    },
}
BOOK = {
    "type": "function",
    "name": "book_table",
    "parameters": {"type": "object", "properties": {"guests": {"type": "integer"}}, "required": ["guests"]},
}
CLOCK = {"type": "function", "name": "clock", "parameters": None}


def said(role: str, text: str) -> Json:
    """Return a message item."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "id": "msg_1", "role": role, "content": [{"type": kind, "text": text}]}


def ask(*texts: str, **changes: Any) -> Request:
    """Return a conversation, user and assistant in turn, that ends with a question."""
    items = [said("user" if place % 2 == 0 else "assistant", text) for place, text in enumerate(texts)]
    return Request(**{"model": "simulator", "input": items, **changes})


async def collect(events: AsyncIterator[ModelEvent]) -> list[ModelEvent]:
    """Return them all."""
    return [event async for event in events]
