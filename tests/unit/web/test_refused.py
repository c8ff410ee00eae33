"""Every parameter of a create call and every limit on it: what is refused, and under which name."""

import json
from typing import Any

import pytest

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.files import MAX_CHARACTERS
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.body import MAX_BYTES
from meanwhile.web.create import to_request
from meanwhile.web.schemas.base import MAX_STRING
from meanwhile.web.schemas.create import CreateResponse
from meanwhile.web.validation import checked
from tests.support.files import file_of

CATALOGUE = Catalogue.load(has_upstream=False)
PRIVATE = "the user's words"
FILE = file_of("Hello")


def refused(**said: Any) -> InvalidRequest:
    """Return the error of a body that is fine but for what is said."""
    with pytest.raises(InvalidRequest) as caught:
        to_request(json.dumps({"model": "simulator", "input": "Hello"} | said).encode(), CATALOGUE)
    return caught.value


def message(*parts: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    """Return an input of one message."""
    return {"input": [{"role": role, "content": list(parts), **more}]}


def tool(**more: Any) -> dict[str, Any]:
    """Return a parameter `tools` with one function."""
    return {"tools": [{"type": "function", "name": "look", **more}]}


NUMBERS = [
    ("temperature", -0.1, "decimal_below_min_value"),
    ("temperature", 2.1, "decimal_above_max_value"),
    ("top_p", -0.1, "decimal_below_min_value"),
    ("top_p", 1.1, "decimal_above_max_value"),
    ("presence_penalty", -2.1, "decimal_below_min_value"),
    ("presence_penalty", 2.1, "decimal_above_max_value"),
    ("frequency_penalty", -2.1, "decimal_below_min_value"),
    ("frequency_penalty", 2.1, "decimal_above_max_value"),
    ("top_logprobs", -1, "integer_below_min_value"),
    ("top_logprobs", 21, "integer_above_max_value"),
    ("max_output_tokens", 15, "integer_below_min_value"),
    ("max_output_tokens", 2**31, "integer_above_max_value"),
    ("max_output_tokens", 10**30, "integer_above_max_value"),
    ("max_tool_calls", 0, "integer_below_min_value"),
    ("max_tool_calls", 2**31, "integer_above_max_value"),
]


@pytest.mark.parametrize(("param", "value", "code"), NUMBERS)
def test_a_number_outside_its_range_is_refused(param: str, value: float, code: str) -> None:
    """The ranges of the API; the code says on which side of which kind of limit."""
    error = refused(**{param: value})

    assert (error.param, error.narrow_code) == (param, code)


TYPES = {
    "model": 5,
    "input": {"role": "user"},
    "instructions": ["Be brief."],
    "background": "yes",
    "store": 1,
    "metadata": [],
    "tools": {},
    "tool_choice": 7,
    "parallel_tool_calls": "no",
    "max_tool_calls": "3",
    "text": "plain",
    "reasoning": "hard",
    "max_output_tokens": 16.5,
    "include": "all",
    "temperature": "0.5",
    "top_p": True,
    "presence_penalty": [],
    "frequency_penalty": {},
    "top_logprobs": "5",
    "safety_identifier": 1,
    "prompt_cache_key": 1,
    "prompt_cache_options": "x",
    "user": 1,
}


@pytest.mark.parametrize("param", TYPES)
def test_a_value_of_the_wrong_type_is_refused(param: str) -> None:
    """Nothing is converted: "0.5" for 0.5 is a mistake that the caller wants to hear of."""
    error = refused(**{param: TYPES[param]})

    assert (error.param, error.narrow_code) == (param, "invalid_type")


CHOICES = ["truncation", "service_tier", "prompt_cache_retention", "tool_choice"]


@pytest.mark.parametrize("param", CHOICES)
def test_a_word_that_is_not_offered_is_refused(param: str) -> None:
    """The words that are come with the error."""
    error = refused(**{param: PRIVATE})

    assert (error.param, error.narrow_code) == (param, "invalid_value")
    assert "Supported values are" in error.message


NOT_YET = [
    "access_programs", "image", "moderation", "personality", "prompt",
]  # fmt: skip


@pytest.mark.parametrize("param", NOT_YET)
def test_what_is_not_there_yet_is_refused_by_name(param: str) -> None:
    """Ignoring it would give an answer to another question; null asks for nothing."""
    error = refused(**{param: {"id": PRIVATE}})

    assert (error.param, error.narrow_code) == (param, "unsupported_parameter")
    assert error.message == f"'{param}' is not available yet."
    to_request(json.dumps({"model": "simulator", "input": "Hi", param: None}).encode(), CATALOGUE)


@pytest.mark.parametrize(
    "reasoning", [{"context": "all_turns"}, {"context": "current_turn"}, {"mode": "pro"}]
)
def test_a_way_to_reason_that_is_not_there_yet_is_refused_by_name(reasoning: dict[str, str]) -> None:
    """In words of the API, so not wrong; but taken in silence they would get another answer."""
    error = refused(reasoning=reasoning)

    assert (error.param, error.narrow_code) == (f"reasoning.{next(iter(reasoning))}", "unsupported_parameter")


def test_a_word_that_is_none_of_the_apis_is_a_wrong_value() -> None:
    """Not one to wait for."""
    assert refused(reasoning={"context": PRIVATE}).narrow_code == "invalid_value"


@pytest.mark.parametrize("param", ["model", "input"])
def test_what_must_be_there_is_missed(param: str) -> None:
    """By name, with the API's own code."""
    said = {"model": "simulator", "input": "Hello"}
    del said[param]

    with pytest.raises(InvalidRequest) as caught:
        to_request(json.dumps(said).encode(), CATALOGUE)

    assert (caught.value.param, caught.value.narrow_code) == (param, "missing_required_parameter")


PARTS: list[tuple[dict[str, Any], str]] = [
    # sizes
    ({"input": []}, "input"),
    ({"model": ""}, "model"),
    ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
    ({"metadata": {"k" * 65: ""}}, "metadata"),
    ({"metadata": {"key": "v" * 513}}, "metadata.key"),
    ({"metadata": {"key": 5}}, "metadata.key"),
    ({"safety_identifier": "x" * 129}, "safety_identifier"),
    ({"prompt_cache_key": "x" * 129}, "prompt_cache_key"),
    ({"user": "x" * 513}, "user"),
    ({"include": ["everything"]}, "include[0]"),
    # items
    ({"input": [PRIVATE]}, "input[0]"),
    ({"input": [None]}, "input[0]"),
    ({"input": [{}]}, "input[0].type"),
    ({"input": [{"type": 5}]}, "input[0].type"),
    ({"input": [{"type": PRIVATE}]}, "input[0].type"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
    ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
    ({"input": [{"type": "message", "content": "Hi"}]}, "input[0].role"),
    ({"input": [{"role": PRIVATE, "content": "Hi"}]}, "input[0].role"),
    ({"input": [{"role": ["user"], "content": "Hi"}]}, "input[0].role"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": None}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": []}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": "Hi", "status": PRIVATE}]}, "input[0].status"),
    ({"input": [{"role": "user", "content": "Hi", "id": ""}]}, "input[0].id"),
    ({"input": [{"role": "user", "content": "Hi", "id": "x" * 129}]}, "input[0].id"),
    ({"input": [{"role": "user", "content": "Hi", "id": "msg_1"}] * 2}, "input[1].id"),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "", "arguments": ""}]}, "input[0].name"),
    ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call_output", "call_id": "", "output": "x"}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input"),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}]}, "input"),
    ({"input": [{"type": "reasoning", "summary": [{"type": "x"}]}]}, "input[0].summary[0].type"),
    ({"input": [{"type": "reasoning", "content": [{"type": "reasoning_text"}]}]}, "input[0].content[0].text"),
    # parts
    (message(PRIVATE), "input[0].content[0]"),
    (message({}), "input[0].content[0].type"),
    (message({"type": "input_text", "text": "Hi"}, {"type": PRIVATE}), "input[0].content[1].type"),
    (message({"type": "input_text"}), "input[0].content[0].text"),
    (message({"type": "input_file"}), "input[0].content[0].filename"),
    (message({"type": "input_file", "filename": "x"}), "input[0].content[0].file_data"),
    (message({"type": "input_file", "file_data": FILE["file_data"]}), "input[0].content[0].filename"),
    (message(FILE | {"filename": ""}), "input[0].content[0].filename"),
    (message(FILE | {"filename": "x" * 256}), "input[0].content[0].filename"),
    (message(FILE | {"filename": 5}), "input[0].content[0].filename"),
    (message(FILE | {"file_data": None}), "input[0].content[0].file_data"),
    (message(FILE | {"file_data": PRIVATE}), "input[0].content[0].file_data"),
    (message(FILE | {"file_data": f"data:{PRIVATE};base64,"}), "input[0].content[0].file_data"),
    (message(FILE, FILE | {"file_data": "data:text/plain;base64,x"}), "input[0].content[1].file_data"),
    (message(FILE | {"detail": "x"}), "input[0].content[0].detail"),
    (message(FILE | {"file_id": PRIVATE}), "input[0].content[0].file_id"),
    (message(FILE, role="assistant"), "input[0].content[0].type"),
    (
        {"input": [{"type": "function_call_output", "call_id": "c", "output": [FILE | {"file_data": ""}]}]},
        "input[0].output[0].file_data",
    ),
    (message({"type": "input_audio"}), "input[0].content[0].type"),
    (message({"type": "input_image"}), "input[0].content[0].image_url"),
    (message({"type": "input_image", "file_id": "f"}), "input[0].content[0].file_id"),
    (message({"type": "input_image", "image_url": "ftp://x/y"}), "input[0].content[0].image_url"),
    (message({"type": "input_image", "image_url": "data:text/plain,x"}), "input[0].content[0].image_url"),
    (
        message({"type": "input_image", "image_url": "https://x/y", "detail": "x"}),
        "input[0].content[0].detail",
    ),
    (message({"type": "output_text", "text": "Hi"}), "input[0].content[0].type"),
    (message({"type": "input_text", "text": "Hi"}, role="assistant"), "input[0].content[0].type"),
    (message({"type": "refusal"}, role="assistant"), "input[0].content[0].refusal"),
    # tools
    ({"tools": [PRIVATE]}, "tools[0]"),
    ({"tools": [{}]}, "tools[0].type"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "mcp", "server_url": PRIVATE}]}, "tools[0].type"),
    ({"tools": [{"type": PRIVATE}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "two words"}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "x" * 65}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": ""}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "look"}] * 2}, "tools[1].name"),
    (tool(parameters=[]), "tools[0].parameters"),
    (tool(strict="yes"), "tools[0].strict"),
    (tool(description=5), "tools[0].description"),
    (tool(defer_loading=True), "tools[0].defer_loading"),
    (tool(**{"async": True}), "tools[0].async"),
    (tool(output_schema={}), "tools[0].output_schema"),
    (tool(function={"name": "look"}), "tools[0].function"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {}}, "tool_choice.type"),
    ({"tool_choice": {"type": "web_search"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
    (tool() | {"tool_choice": {"type": "function", "name": "other"}}, "tool_choice.name"),
    (
        tool() | {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
        "tool_choice.tools",
    ),
    (
        tool()
        | {
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "look"}, {"type": "function", "name": "other"}],
            }
        },
        "tool_choice.tools[1].name",
    ),
    # formats
    ({"text": {"format": {}}}, "text.format.type"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
    ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
    ({"text": {"format": {"type": "json_schema", "schema": {}, "name": "a b"}}}, "text.format.name"),
    ({"text": {"format": {"type": "json_schema", "schema": [], "name": "x"}}}, "text.format.schema"),
    ({"text": {"verbosity": "chatty"}}, "text.verbosity"),
    ({"text": {"style": PRIVATE}}, "text.style"),
    ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
    ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
    # the rest
    ({"model": "gpt-nobody"}, "model"),
    ({"temprature": 1}, "temprature"),
    # names that look like ours
    ({"<x>": 1}, "<x>"),
    ({"": 1}, ""),
    ({"[key]": 1}, "[key]"),
    ({"reasoning": {"[key]": None}}, "reasoning.[key]"),
    ({"reasoning": {"<x>": None}}, "reasoning.<x>"),
    ({"metadata": {"[key]": 5}}, "metadata.[key]"),
    ({"metadata": {"<x>": 5}}, "metadata.<x>"),
    ({"metadata": {"": 5}}, "metadata."),
]


@pytest.mark.parametrize(
    ("said", "param"), PARTS, ids=[f"{number}-{param}" for number, (_, param) in enumerate(PARTS)]
)
def test_what_is_wrong_is_named_and_not_repeated(said: dict[str, Any], param: str) -> None:
    """A path in OpenAI's style leads to it; the value may be private, and errors are often logged."""
    error = refused(**said)

    assert error.param == param
    assert PRIVATE not in error.message


@pytest.mark.parametrize(
    ("name", "value"), [("file_id", "file-1"), ("file_url", "https://example.com/a.pdf")]
)
def test_who_names_a_file_that_is_elsewhere_is_told_to_send_it(name: str, value: str) -> None:
    """There are no stored files yet, and nothing is fetched from an address for a caller; null is neither."""
    error = refused(**message({"type": "input_file", name: value}))

    assert (error.param, error.narrow_code) == (f"input[0].content[0].{name}", "unsupported_parameter")
    assert "'file_data'" in error.message
    to_request(json.dumps({"model": "simulator", **message(FILE | {name: None})}).encode(), CATALOGUE)


def test_what_is_wrong_with_a_file_is_said() -> None:
    """A name that is missing in the words of the API."""
    nameless = refused(**message({"type": "input_file", "file_data": FILE["file_data"]}))
    other = refused(**message(file_of(b"PK", "a.zip", "application/zip")))

    assert nameless.narrow_code == "missing_required_parameter"
    assert nameless.message == "Missing required parameter: 'input[0].content[0].filename'."
    assert other.message == (
        "Invalid file in 'input[0].content[0].file_data'. Files of this type are not taken. Taken are text in"
        " UTF-8 (text/*, application/json, xml, yaml, toml, csv, javascript, sql and their like) and"
        " application/pdf."
    )


def test_a_file_may_be_as_large_as_a_body_has_room_for() -> None:
    """Larger ones are refused by name, before what is in them is looked at."""
    error = refused(**message(FILE | {"file_data": "x" * (MAX_CHARACTERS + 1)}))

    assert (error.param, error.narrow_code) == ("input[0].content[0].file_data", "string_above_max_length")
    assert MAX_CHARACTERS < MAX_BYTES


def test_an_unknown_parameter_has_a_code_of_its_own() -> None:
    """Tools that drop what a server does not know look for it."""
    error = refused(temprature=1)

    assert (error.narrow_code, error.message) == ("unknown_parameter", "Unknown parameter: 'temprature'.")


@pytest.mark.parametrize("name", ["", "<x>", "[key]"])
def test_no_name_is_lost_on_the_way_into_an_error(name: str) -> None:
    """Also one that looks like the names by which our own schemas are told apart."""
    assert refused(**{name: 1}).message == f"Unknown parameter: '{name}'."


def test_an_unknown_type_is_told_the_types_there_are() -> None:
    """As the API has them, not as our schemas tell them apart."""
    error = refused(input=[{"type": PRIVATE}])

    assert error.message == (
        "Invalid value for 'input[0].type'. Supported values are: "
        "'message', 'function_call', 'function_call_output', 'reasoning', "
        "'compaction'."
    )


def test_text_may_be_ten_mebibytes_and_no_more() -> None:
    """Larger than any body gets through Lambda today; the limit is the API's."""
    checked(CreateResponse, {"model": "simulator", "input": "x" * MAX_STRING})
    with pytest.raises(InvalidRequest) as caught:
        checked(CreateResponse, {"model": "simulator", "input": "x" * (MAX_STRING + 1)})

    assert (caught.value.param, caught.value.narrow_code) == ("input", "string_above_max_length")


def test_an_output_without_its_call_is_refused_in_the_apis_words() -> None:
    """Agents look for this sentence to mend their history."""
    error = refused(input=[{"type": "function_call_output", "call_id": "call_7", "output": "x"}])

    assert error.message == "No tool call found for function call output with call_id call_7."
