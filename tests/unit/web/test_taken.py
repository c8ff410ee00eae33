"""What a create call may say, and the one form in which it is stored."""

import json
from typing import Any, get_args

import pytest
from openai.types.responses.service_tier import ServiceTier

from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.create import to_request
from tests.support.files import PDF, file_of

CATALOGUE = Catalogue.load(has_upstream=False)
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}


def taken(**said: Any) -> Request:
    """Return the request of a body."""
    return to_request(json.dumps({"model": "simulator", "input": "Hello"} | said).encode(), CATALOGUE)


def bare(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item without its id."""
    return {name: value for name, value in item.items() if name != "id"}


def test_a_string_is_a_message_of_the_user() -> None:
    """Everything behind this line knows one form of input only."""
    (item,) = taken(input="Hello").input

    assert item["id"].startswith("msg_")
    assert bare(item) == {
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hello"}],
    }


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
@pytest.mark.parametrize("kind", [{}, {"type": "message"}])
def test_an_easy_message_needs_no_type(role: str, kind: dict[str, str]) -> None:
    """What an assistant wrote becomes output text, with the lists that an SDK expects there."""
    (item,) = taken(input=[{"role": role, "content": "Hello", **kind}]).input

    assert (item["type"], item["role"], item["status"]) == ("message", role, "completed")
    if role == "assistant":
        assert item["content"] == [
            {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
        ]
    else:
        assert item["content"] == [{"type": "input_text", "text": "Hello"}]


def test_a_whole_turn_comes_back_as_it_was() -> None:
    """Clients without a conversation send the output back as input, with ids and all."""
    items = [
        {"id": "msg_1", "type": "message", "status": "completed", "role": "user",
         "content": [{"type": "input_text", "text": "Look"},
                     {"type": "input_image", "image_url": "https://x.example/y.png", "detail": "low"},
                     {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
                     file_of("# Notes"), PDF, PDF | {"detail": "low"}]},
        {"id": "rs_1", "type": "reasoning", "status": "completed",
         "summary": [{"type": "summary_text", "text": "In short"}],
         "content": [{"type": "reasoning_text", "text": "At length"}], "encrypted_content": "gAAA"},
        {"id": "msg_2", "type": "message", "status": "incomplete", "role": "assistant",
         "content": [{"type": "output_text", "text": "I", "annotations": [], "logprobs": []},
                     {"type": "refusal", "refusal": "won't"}]},
        {"id": "msg_3", "type": "message", "status": "incomplete", "role": "assistant", "content": []},
        {"id": "fc_1", "status": "completed", **CALL},
        {"id": "fco_1", "type": "function_call_output", "status": "completed", "call_id": "call_1",
         "output": [{"type": "input_text", "text": "Seen"}, file_of("a,b", "t.csv", "text/csv"), PDF]},
    ]  # fmt: skip

    assert taken(input=items).input == items


def test_an_items_missing_id_is_made() -> None:
    """Pages of items continue after an id, so each has one, and the same each time it is listed."""
    output = {"type": "function_call_output", "call_id": "call_1", "output": "Seen"}
    said: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        CALL,
        output,
        {"type": "reasoning", "summary": []},
    ]

    items = taken(input=said).input

    assert [item["id"].partition("_")[0] for item in items] == ["msg", "fc", "fco", "rs"]
    assert len({item["id"] for item in items}) == 4
    assert items[2]["output"] == "Seen"


def test_names_that_sdks_add_are_dropped() -> None:
    """SDKs dump their own classes back, helper fields included; refusing them breaks conversations."""
    said: dict[str, Any] = CALL | {
        "parsed_arguments": {},
        "namespace": None,
        "caller": None,
        "created_by": "x",
    }
    output = {"type": "function_call_output", "call_id": "call_1", "output": "x"}

    assert bare(taken(input=[said, output]).input[0]) == CALL | {"status": "completed"}


def test_null_is_the_default() -> None:
    """SDKs send null for what was not set; only model and input are asked for."""
    names = [
        "background", "include", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
        "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "reasoning", "safety_identifier", "service_tier", "store", "stream", "temperature", "text",
        "tool_choice", "tools", "top_logprobs", "top_p", "presence_penalty", "frequency_penalty",
        "truncation", "user",
    ]  # fmt: skip

    null, nothing = taken(**dict.fromkeys(names)).to_json(), taken().to_json()

    del null["input"], nothing["input"]
    default = Request(model="simulator", input=[], tools=[], sampling=[]).to_json()
    del default["input"]
    assert null == nothing == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0), ("temperature", 2), ("top_p", 0), ("top_p", 1), ("presence_penalty", -2),
        ("presence_penalty", 2), ("frequency_penalty", -2), ("frequency_penalty", 2), ("top_logprobs", 0),
        ("top_logprobs", 20), ("max_output_tokens", 16), ("max_tool_calls", 1), ("store", False),
        ("background", True), ("parallel_tool_calls", False), ("truncation", "auto"), ("user", "u" * 512),
        ("safety_identifier", "s" * 128), ("prompt_cache_key", "k" * 128), ("instructions", ""),
        ("metadata", {"k" * 64: "v" * 512}), ("metadata", {str(number): "" for number in range(16)}),
    ],
)  # fmt: skip
def test_the_edges_of_every_range_are_inside(name: str, value: Any) -> None:
    """And are stored as they came."""
    assert getattr(taken(**{name: value}), name) == value


def test_a_provider_is_told_only_of_parameters_that_were_set() -> None:
    """Reasoning models refuse a temperature, even the default one."""
    assert taken(temperature=1, top_p=None, max_output_tokens=16).sampling == ["temperature"]
    assert taken().sampling == []


@pytest.mark.parametrize("tier", [each for each in get_args(get_args(ServiceTier)[0]) if each])
def test_any_service_tier_is_the_one_there_is(tier: str) -> None:
    """It is accepted so that a caller's code need not change."""
    assert taken(service_tier=tier).service_tier == "auto"


def test_a_tool_has_all_its_keys() -> None:
    """The response echoes tools, and SDKs expect every key there."""
    (tool,) = taken(tools=[{"type": "function", "name": "look"}]).tools

    assert tool == {
        "type": "function", "name": "look", "description": None, "parameters": None, "strict": None
    }  # fmt: skip


@pytest.mark.parametrize(
    "choice",
    [
        "none", "auto", "required", {"type": "function", "name": "look"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
    ],
)  # fmt: skip
def test_every_way_to_choose_a_function_is_kept(choice: Any) -> None:
    """Providers translate them."""
    assert taken(tools=[{"type": "function", "name": "look"}], tool_choice=choice).tool_choice == choice


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ({}, {"format": {"type": "text"}}),
        ({"format": None}, {"format": {"type": "text"}}),
        ({"format": {"type": "json_object"}}, {"format": {"type": "json_object"}}),
        (
            {"format": {"type": "json_schema", "name": "it", "schema": {"type": "object"}}},
            {
                "format": {
                    "type": "json_schema",
                    "name": "it",
                    "schema": {"type": "object"},
                    "strict": None,
                    "description": None,
                }
            },
        ),
        ({"verbosity": "high"}, {"format": {"type": "text"}, "verbosity": "high"}),
    ],
)
def test_a_format_has_all_its_keys(text: Any, stored: Any) -> None:
    """As tools do."""
    assert taken(text=text).text == stored


@pytest.mark.parametrize(
    "reasoning", [{"context": "auto"}, {"context": None}, {"mode": "standard"}, {"mode": None}]
)
def test_what_reasoning_does_anyway_may_be_asked_for(reasoning: dict[str, Any]) -> None:
    """SDKs have names for it, and it changes nothing."""
    assert taken(reasoning=reasoning).reasoning is None


@pytest.mark.parametrize("more", [{"async": False}, {"output_schema": None}, {"allowed_callers": ["direct"]}])
def test_a_tool_may_say_what_it_is_anyway(more: dict[str, Any]) -> None:
    """The SDK's own names, with the values that ask for nothing."""
    (tool,) = taken(tools=[{"type": "function", "name": "look", **more}]).tools

    assert set(tool) == {"type", "name", "description", "parameters", "strict"}


def test_reasoning_has_an_older_name_for_its_summary() -> None:
    """Older SDKs send it."""
    assert taken(reasoning={"generate_summary": "auto"}).reasoning == {"summary": "auto"}
    assert taken(reasoning={"effort": "high", "summary": "concise"}).reasoning == {
        "effort": "high",
        "summary": "concise",
    }
    assert taken(reasoning={}).reasoning is None
