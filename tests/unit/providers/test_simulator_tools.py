"""The simulator calls functions as a model would, and stops when it has their outputs."""

import json
from typing import Any

import pytest

from meanwhile.domain.model_events import (
    ToolCallDelta,
    ToolCallStarted,
)
from meanwhile.domain.request import Request
from meanwhile.providers.simulator import events_of, text_of
from tests.unit.providers.conversations import BOOK, CLOCK, WEATHER, ask, said


def calls_in(request: Request) -> dict[str, Any]:
    """Return the arguments of every call the simulator makes, by function."""
    events = list(events_of(request))
    return {
        start.name: json.loads(
            "".join(e.arguments for e in events if isinstance(e, ToolCallDelta) and e.index == start.index)
        )
        for start in events
        if isinstance(start, ToolCallStarted)
    }


def test_a_function_is_called_with_what_the_prompt_offers() -> None:
    """The arguments fit the schema, and make sense."""
    request = ask("What is the weather in San Francisco, in F?", tools=[WEATHER])

    assert calls_in(request) == {"get_weather": {"city": "San Francisco", "unit": "F"}}
    assert text_of(request) == ""


def test_two_functions_are_called_side_by_side() -> None:
    """Parallel calls are a path of their own through everything behind."""
    request = ask("Book a table for 4 in Rome and check the weather.", tools=[CLOCK, WEATHER, BOOK])

    assert calls_in(request) == {"get_weather": {"city": "Rome", "unit": "C"}, "book_table": {"guests": 4}}


def test_without_parallel_calls_it_makes_one() -> None:
    """The caller can forbid them."""
    request = ask("Book a table and check the weather.", tools=[WEATHER, BOOK], parallel_tool_calls=False)

    assert len(calls_in(request)) == 1


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", set()),
        ("auto", {"clock", "get_weather"}),
        ("required", {"clock", "get_weather"}),
        ({"type": "function", "name": "book_table"}, {"book_table"}),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "clock"}]},
            {"clock"},
        ),
    ],
)
def test_the_choice_of_a_function_is_the_caller_s(choice: Any, called: set[str]) -> None:
    """Every form of `tool_choice` means what it says."""
    request = ask("Hm.", tools=[CLOCK, WEATHER, BOOK], tool_choice=choice)

    assert set(calls_in(request)) == called


@pytest.mark.parametrize("output", ["18 degrees", [{"type": "input_text", "text": "18 degrees"}]])
def test_with_the_outputs_there_it_answers_from_them(output: Any) -> None:
    """An agent's loop ends, also when it says "required" every time."""
    request = ask("What is the weather in Rome?", tools=[WEATHER], tool_choice="required")
    items = [
        *request.input,
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": output},
    ]

    answered = Request(**{**request.to_json(), "input": items})
    asked_again = Request(**{**request.to_json(), "input": [*items, said("user", "And in Oslo?")]})

    assert 'get_weather returned: "18 degrees"' in text_of(answered)
    assert calls_in(asked_again)["get_weather"]["city"] == "Oslo"
