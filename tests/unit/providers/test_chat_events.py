"""The dialects of chat completions servers, and what they all come to."""

import json
from typing import Any

import pytest

from meanwhile.domain.errors import ProviderBroken
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from meanwhile.providers.chat_events import ChunkReader

END = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
STOP = Finished(FinishReason.STOP, None)


def read(*chunks: dict[str, Any]) -> list[ModelEvent]:
    """Return everything a stream of these chunks says."""
    reader = ChunkReader()
    events = [event for chunk in chunks for event in reader.read(json.dumps(chunk))]
    return [*events, *reader.last()]


def fragments(*each: dict[str, Any]) -> dict[str, Any]:
    """Return a chunk with these pieces of calls."""
    return {"choices": [{"delta": {"tool_calls": list(each)}}]}


def piece(
    arguments: str = "", *, name: str | None = None, call_id: str | None = None, index: int | None = None
) -> dict[str, Any]:
    """Return one piece of a call, with only the keys that are given."""
    function = {"name": name, "arguments": arguments}
    keys = {"id": call_id, "index": index, "function": {k: v for k, v in function.items() if v is not None}}
    return {key: value for key, value in keys.items() if value is not None}


TWO_CALLS = [
    ToolCallStarted(0, "a", "f"),
    ToolCallDelta(0, '{"x":'),
    ToolCallDelta(0, "1}"),
    ToolCallStarted(1, "b", "g"),
    ToolCallDelta(1, "{}"),
    STOP,
]


@pytest.mark.parametrize(
    "chunks",
    [
        [
            fragments(piece(name="f", call_id="a", index=0)),
            fragments(piece('{"x":', index=0)),
            fragments(piece("1}", index=0)),
            fragments(piece("{}", name="g", call_id="b", index=1)),
        ],
        [
            fragments(piece('{"x":', name="f", call_id="a", index=0)),
            fragments(piece("1}", name="f", call_id="a", index=0)),
            fragments(piece("{}", name="g", call_id="b", index=1)),
        ],
        [
            fragments(piece('{"x":', name="f", call_id="a")),
            fragments(piece("1}")),
            fragments(piece("{}", name="g", call_id="b")),
        ],
        [
            fragments(piece('{"x":', name="f", call_id="a", index=0)),
            fragments(piece("1}", index=0)),
            fragments(piece("{}", name="g", call_id="b", index=0)),
        ],
        [
            fragments(piece('{"x":', call_id="a", index=0)),
            fragments(piece(name="f", index=0)),
            fragments(piece("1}", index=0)),
            fragments(piece("{}", call_id="b", index=1), piece(name="g", index=1)),
        ],
    ],
    ids=["openai", "repeats id and name", "no index", "always index 0", "name comes late"],
)
def test_two_calls_come_out_the_same_in_every_dialect(chunks: list[dict[str, Any]]) -> None:
    """Servers disagree about what to repeat and what to leave out."""
    assert read(*chunks, END) == TWO_CALLS


def test_calls_without_index_and_id_in_one_chunk_are_two() -> None:
    """The smallest servers send whole calls and nothing to tell them apart."""
    seen = read(fragments(piece("{}", name="f"), piece("{}", name="f")), END)

    assert [each for each in seen if isinstance(each, ToolCallStarted)] == [
        ToolCallStarted(0, "", "f"),
        ToolCallStarted(1, "", "f"),
    ]


def test_arguments_sent_as_an_object_become_text() -> None:
    """Some servers forget that arguments are JSON inside a string."""
    whole = {"index": 0, "function": {"name": "f", "arguments": {"x": 1}}}

    assert read(fragments(whole), END)[1] == ToolCallDelta(0, '{"x": 1}')


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    """Clients parse the arguments, and "" is not JSON."""
    assert read(fragments(piece(name="f", call_id="a", index=0)), END) == [
        ToolCallStarted(0, "a", "f"),
        ToolCallDelta(0, "{}"),
        STOP,
    ]


def test_a_call_that_never_gets_a_name_is_broken() -> None:
    """Nobody could carry it out."""
    with pytest.raises(ProviderBroken):
        read(fragments(piece("{}", call_id="a", index=0)), END)


def test_half_a_character_is_handed_out_before_somebody_else_speaks() -> None:
    """A text item must not grow again after a call has begun."""
    text = {"choices": [{"delta": {"content": "a\ud83d"}}]}

    seen = read(text, fragments(piece("{}", name="f", call_id="a", index=0)), END)

    assert seen[:3] == [TextDelta("a"), TextDelta("\ufffd"), ToolCallStarted(0, "a", "f")]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": []},
        {"choices": None, "usage": None},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
        {"choices": ["?"]},
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"error": None, "choices": [{"delta": {}}]},
    ],
)
def test_a_chunk_that_says_nothing_is_nothing(odd: dict[str, Any]) -> None:
    """Servers pad their streams in many ways."""
    assert read(odd, END) == [STOP]


def test_content_in_parts_is_text() -> None:
    """Mistral sends lists where others send strings."""
    parts = [{"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}]

    assert read({"choices": [{"delta": {"content": parts}}]}, END) == [TextDelta("a"), STOP]


def test_a_thought_sent_under_two_names_is_thought_once() -> None:
    """Proxies that rename a field often keep the old one beside it."""
    delta = {"reasoning": "Hm", "reasoning_content": "Hm"}

    assert len(read({"choices": [{"delta": delta}]}, END)) == 2
