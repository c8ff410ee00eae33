"""What a model cannot do."""

import json
from typing import Any

import pytest

from meanwhile.domain.errors import InvalidRequest
from meanwhile.providers.catalogue import Catalogue, ModelEntry
from meanwhile.web.create import to_request
from tests.support.files import PDF, file_of

IMAGE = {"type": "input_image", "image_url": "https://x.example/y.png"}
CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
TOOLS = {"tools": [{"type": "function", "name": "look"}]}

ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("tools", TOOLS, "tools"),
    ("structured_output", {"text": {"format": {"type": "json_object"}}}, "text.format"),
    (
        "structured_output",
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}},
        "text.format",
    ),
    ("reasoning", {"reasoning": {"effort": "low"}}, "reasoning.effort"),
    (
        "images",
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "See"}, IMAGE]}]},
        "input[0].content[1]",
    ),
    (
        "images",
        {"input": [CALL, {"type": "function_call_output", "call_id": "c", "output": [IMAGE]}]},
        "input[1].output[0]",
    ),
    (
        "files",
        {"input": [{"role": "user", "content": [file_of("Notes"), PDF]}]},
        "input[0].content[1]",
    ),
    (
        "files",
        {"input": [CALL, {"type": "function_call_output", "call_id": "c", "output": [PDF]}]},
        "input[1].output[0]",
    ),
]


def ask(entry: ModelEntry, said: dict[str, Any]) -> None:
    """Check a body against a model."""
    raw = json.dumps({"model": entry.id, "input": "Hello"} | said).encode()
    to_request(raw, Catalogue({entry.id: entry}))


@pytest.mark.parametrize(("ability", "said", "param"), ASKED)
def test_what_a_model_cannot_do_is_refused(ability: str, said: dict[str, Any], param: str) -> None:
    """Before it is stored: queued, it could only fail, minutes later and after the user has left."""
    able = ModelEntry(id="able", provider="simulator")
    unable = ModelEntry(id="unable", provider="simulator", **{ability: False})  # type: ignore[arg-type]

    ask(able, said)
    with pytest.raises(InvalidRequest) as caught:
        ask(unable, said)

    assert caught.value.param == param


def test_a_model_without_abilities_still_talks() -> None:
    """What was not asked for is not missed; `none` asks for no reasoning, and text files are text."""
    entry = ModelEntry(
        id="plain",
        provider="simulator",
        images=False,
        files=False,
        tools=False,
        structured_output=False,
        reasoning=False,
    )

    ask(entry, {"input": [{"role": "user", "content": [file_of("Notes")]}]})
    ask(entry, {"reasoning": {"effort": "none"}, "text": {"format": {"type": "text"}}, "tools": []})


def test_a_model_writes_no_more_than_it_can() -> None:
    """An upstream would refuse it, or cut the answer without a word."""
    entry = ModelEntry(id="short", provider="simulator", max_output_tokens=100)

    ask(entry, {"max_output_tokens": 100})
    with pytest.raises(InvalidRequest) as caught:
        ask(entry, {"max_output_tokens": 101})

    assert (caught.value.param, caught.value.narrow_code) == ("max_output_tokens", "integer_above_max_value")
