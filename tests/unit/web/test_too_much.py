"""Bodies made to cost much: each is refused for the price of its first mistake."""

import json
import tracemalloc
from typing import Any

import pytest
from pydantic import ValidationError

from meanwhile.domain.errors import InvalidRequest
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.body import MAX_BYTES, MAX_NESTED, parse_object
from meanwhile.web.create import to_request
from meanwhile.web.options import check_tools
from meanwhile.web.schemas.base import MAX_PARTS
from meanwhile.web.schemas.create import CountInputTokens, CreateResponse
from meanwhile.web.schemas.options import MAX_TOOLS
from tests.support.files import file_of

CATALOGUE = Catalogue.load(has_upstream=False)
MANY = 400_000
PEAK = 80_000_000
"""Bytes: a third of what a stream's function has."""


def numbered(count: int) -> dict[str, None]:
    """Return so many names that nobody knows."""
    return {f"k{number}": None for number in range(count)}


def in_parts(parts: list[Any], role: str = "user") -> dict[str, Any]:
    """Return an input of one message with these parts."""
    return {"input": [{"role": role, "content": parts}]}


TOO_MUCH: list[tuple[dict[str, Any], str]] = [
    ({"input": [""] * 1_400_000}, "input[0]"),
    (in_parts([""] * MANY), "input[0].content[0]"),
    (in_parts([""] * MANY, "assistant"), "input[0].content[0]"),
    (in_parts([{"type": "output_text", "text": "", "logprobs": [""] * MANY}], "assistant"),
     "input[0].content[0].logprobs[0]"),
    (in_parts([{"type": "output_text", "text": "", "annotations": [""] * MANY}], "assistant"),
     "input[0].content[0].annotations[0]"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": [""] * MANY}]},
     "input[0].output[0]"),
    ({"input": [{"type": "reasoning", "summary": [""] * MANY}]}, "input[0].summary[0]"),
    ({"input": [{"type": "reasoning", "content": [""] * MANY}]}, "input[0].content[0]"),
    ({"tools": [""] * MANY}, "tools[0]"),
    ({"tools": [{"type": "function", "name": "f", "allowed_callers": [""] * MANY}]},
     "tools[0].allowed_callers[0]"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [""] * MANY}},
     "tool_choice.tools[0]"),
    ({"include": [""] * MANY}, "include[0]"),
    ({"metadata": numbered(MANY // 2)}, "metadata"),
    (numbered(MANY // 2), "k0"),
    ({"reasoning": numbered(MANY // 2)}, "reasoning.k0"),
    ({"tools": [{"type": "function", "name": "f"} | numbered(MANY // 2)]}, "tools[0].k0"),
    (in_parts([file_of("x") | {"detail": ""}] * 40_000), "input[0].content[0].detail"),
    (in_parts([file_of("x") | {"file_data": "data:text/plain;base64," + "/" * 4_200_000}]),
     "input[0].content[0].file_data"),
    (in_parts([file_of("x") | {"file_data": "data:application/pdf;base64," + "A" * 4_200_000}]),
     "input[0].content[0].file_data"),
]  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("said", "param"), TOO_MUCH, ids=[f"{number}-{param}" for number, (_, param) in enumerate(TOO_MUCH)]
)
def test_the_first_mistake_is_the_only_one_that_is_paid_for(said: dict[str, Any], param: str) -> None:
    """An error for each of a million wrong elements once took a gigabyte, and the function with it."""
    raw = json.dumps({"model": "simulator", "input": "Hello"} | said, separators=(",", ":")).encode()
    assert len(raw) <= MAX_BYTES

    tracemalloc.start()
    with pytest.raises(InvalidRequest) as caught:
        to_request(raw, CATALOGUE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert caught.value.param == param
    assert peak < PEAK


@pytest.mark.parametrize("said", [said for said, _ in TOO_MUCH])
def test_the_first_mistake_is_the_only_one_that_is_found(said: dict[str, Any]) -> None:
    """Counted in errors, which is what the time goes into."""
    with pytest.raises(ValidationError) as caught:
        CreateResponse.model_validate({"model": "simulator", "input": "Hello"} | said)

    assert caught.value.error_count() == 1


@pytest.mark.parametrize("model", [CountInputTokens, CreateResponse])
def test_every_list_has_an_end(model: type[CreateResponse]) -> None:
    """In the document too, for whoever generates requests. A list without one is found here."""
    schema = model.model_json_schema()

    def lists(value: Any) -> list[dict[str, Any]]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        found = [each for one in inner for each in lists(one)]
        return [*found, value] if isinstance(value, dict) and value.get("type") == "array" else found

    assert lists(schema)
    assert all("maxItems" in each for each in lists(schema))


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"input": [{"role": "user", "content": "x"}] * (MAX_PARTS + 1)}, "input"),
        (in_parts([{"type": "input_text", "text": "x"}] * (MAX_PARTS + 1)), "input[0].content"),
        ({"tools": [{"type": "function", "name": f"f{n}"} for n in range(MAX_TOOLS + 1)]}, "tools"),
        ({"include": ["reasoning.encrypted_content"] * 65}, "include"),
    ],
)  # fmt: skip
def test_a_list_longer_than_anybody_needs_is_refused(said: dict[str, Any], param: str) -> None:
    """128 tools as in the API, and more items and parts than any conversation has."""
    with pytest.raises(InvalidRequest) as caught:
        to_request(json.dumps({"model": "simulator", "input": "Hello"} | said).encode(), CATALOGUE)

    assert (caught.value.param, caught.value.narrow_code) == (param, "array_above_max_length")


class Compared(str):
    """A name that counts what it is compared with."""

    times = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)


def test_as_many_tools_as_there_may_be_are_looked_at_once_each() -> None:
    """Each was once compared with all before it: twenty thousand took four seconds."""
    names = [Compared(f"f{number}") for number in range(20_000)]
    body = CountInputTokens.model_validate({"tool_choice": "auto"})
    Compared.times = 0

    check_tools(body, names)

    assert Compared.times < len(names)


def test_more_objects_than_a_body_needs_are_refused_before_they_are_made() -> None:
    """An empty array is three bytes on the way and a hundred in memory."""
    raw = b'{"prompt_cache_options":{"a":[' + b",".join([b"[]"] * 1_400_000) + b"]}}"

    tracemalloc.start()
    with pytest.raises(InvalidRequest) as caught:
        parse_object(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert str(MAX_NESTED) in caught.value.message
    assert peak < 3 * len(raw)


@pytest.mark.parametrize("text", ["[" * (MAX_NESTED + 1), '\\"{' * (MAX_NESTED + 1), "\\\\[{" * MAX_NESTED])
def test_brackets_in_a_text_are_not_objects(text: str) -> None:
    """People ask about code, and code has brackets."""
    raw = f'{{"input": "{text}"}}'.encode()

    assert parse_object(raw) == json.loads(raw)


def test_a_text_without_an_end_is_looked_through_once() -> None:
    """From each of its quotes anew would take for hours; this test would not come back."""
    with pytest.raises(InvalidRequest):
        parse_object(b'{"input": "' + b'\\"{' * 1_400_000)
