"""What of a request is counted, and by which rule."""

import json
from typing import Any

import pytest
import tiktoken

from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import Catalogue
from meanwhile.tokens import REPLY, Tokens
from meanwhile.vocabulary import VOCABULARIES
from meanwhile.web.create import to_request
from tests.support.vocabulary import vocabularies
from tests.unit.web.test_any_body import WHOLE

WEATHER = "What is the weather in Paris? Use the get_weather tool."


def tokens(name: str = "o200k_base") -> Tokens:
    """Return what counts by a vocabulary."""
    return Tokens(vocabularies().counter(name))


def asked(*items: dict[str, Any], **more: Any) -> Request:
    """Return a request."""
    return Request(model="gpt-4o", input=items, **more)


def said(text: str, role: str = "user") -> dict[str, Any]:
    """Return a message."""
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def test_every_model_has_a_vocabulary_there_is() -> None:
    """A typing error in the catalogue would show at the first count."""
    catalogue = Catalogue.load(has_upstream=True)

    assert {each.encoding for each in (*catalogue.list(), *catalogue.upstream)} <= set(VOCABULARIES)
    assert catalogue.find("nobody-knows-me").encoding == "cl100k_base"


@pytest.mark.parametrize(
    "model",
    ["o1", "o3-mini", "o4-mini-high", "gpt-5", "gpt-5.6-sol", "gpt-4.1", "gpt-4.1-mini", "gpt-4.5-preview",
     "gpt-4o", "gpt-4o-2024-08-06", "chatgpt-4o-latest", "ft:gpt-4o:x", "gpt-4", "gpt-4-turbo",
     "gpt-3.5-turbo", "gpt-oss-120b"],
)  # fmt: skip
def test_a_model_is_counted_by_the_vocabulary_that_tiktoken_names(model: str) -> None:
    """The catalogue has patterns of its own; for the models that tiktoken knows they must agree."""
    theirs = tiktoken.encoding_name_for_model(model).replace("o200k_harmony", "o200k_base")

    assert Catalogue.load(has_upstream=True).find(model).encoding == theirs


WEATHER_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Get current weather for a city.",
    "parameters": {
        "additionalProperties": False,
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "type": "object",
    },
    "strict": True,
}
CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city":"Paris"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "Sunny and 72F in Paris"}


def test_a_message_costs_what_the_real_api_says() -> None:
    """gpt-4o read 15 tokens: eight of text, the role, three around the message, three to begin the answer."""
    assert tokens().of_request(asked(said("What is 2 + 2?"))) == 15


def test_a_call_and_its_output_cost_what_the_real_api_says() -> None:
    """gpt-4o read 51 tokens before the call and 78 after its output."""
    before, after = asked(said(WEATHER)), asked(said(WEATHER), CALL, OUTPUT)

    assert tokens().of_request(after) - tokens().of_request(before) == 78 - 51


def test_a_tool_costs_at_least_what_the_real_api_says() -> None:
    """An estimate too low would overfill a window, one far too high would waste it; 51 and 101 are real."""
    published = {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {
                    "type": "string",
                    "description": "The unit of temperature to return",
                    "enum": ["celsius", "fahrenheit"],
                },
            },
            "required": ["location"],
        },
    }
    system = "You are a helpful assistant that can answer to questions about the weather."
    question = "What's the weather like in San Francisco?"

    recorded = tokens().of_request(asked(said(WEATHER), tools=[WEATHER_TOOL]))
    cookbook = tokens().of_request(asked(said(system, "system"), said(question), tools=[published]))

    assert 51 <= recorded <= 51 * 1.2
    assert 101 <= cookbook <= 101 * 1.2


def whole(**more: Any) -> Request:
    """Return a request with something of everything."""
    return to_request(json.dumps(WHOLE | more).encode(), Catalogue.load(has_upstream=False))


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_a_request_is_the_sum_of_its_items_and_what_is_around_them(name: str) -> None:
    """Items are counted once, when they are written; a context is put together from those counts."""
    counter, request = tokens(name), whole()

    assert all(counter.of_item(item) > 0 for item in request.input)
    assert counter.of_request(request) == counter.around(request) + sum(map(counter.of_item, request.input))


@pytest.mark.parametrize("left_out", ["instructions", "tools", "text"])
def test_everything_a_model_reads_counts(left_out: str) -> None:
    """Instructions, definitions and schemas fill the window, too."""
    without = {"tool_choice": "auto", left_out: None}

    assert tokens().around(whole(**without)) < tokens().around(whole(tool_choice="auto"))


def test_an_empty_request_is_the_beginning_of_an_answer() -> None:
    """The model is told that it is its turn."""
    assert tokens().of_request(asked()) == REPLY


def test_every_word_of_an_item_counts() -> None:
    """Wherever an item holds words: a refusal, a thought, a summary, an output, parts or a plain string."""
    word, more = "word", "word and more"

    for item in (
        {"type": "message", "role": "user", "content": word},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": word}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": word}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": word}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": word}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": word},
        {"type": "function_call_output", "call_id": "c", "output": word},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": word}]},
        {"type": "of_tomorrow", "id": "x_1", "content": word},
    ):
        longer = json.loads(json.dumps(item).replace('"word"', f'"{more}"'))
        assert tokens().of_item(longer) == tokens().of_item(item) + 2, item["type"]
