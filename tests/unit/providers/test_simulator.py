"""The simulator keeps its promises: the same answer every time, from what it was given, at its speed."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from meanwhile.domain.request import Json, Request
from meanwhile.providers.simulation.tokens import count_tokens
from meanwhile.providers.simulator import Simulator, events_of, text_of

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


async def collect(events: AsyncIterator[ModelEvent]) -> list[ModelEvent]:
    """Return them all."""
    return [event async for event in events]


def test_the_stream_says_exactly_what_was_foretold() -> None:
    """Chaos tests compare what arrived with `text_of`: any difference is a lost or doubled word."""
    request = ask("Write 200 words.")

    seen = asyncio.run(collect(Simulator().stream(request)))

    assert seen == list(events_of(request))
    assert "".join(each.text for each in seen if isinstance(each, TextDelta)) == text_of(request)


def test_the_answer_does_not_hang_on_ids() -> None:
    """Item ids are drawn at random; the same words get the same answer."""
    other = [{**said("user", "Write 50 words."), "id": "msg_2"}]

    assert text_of(ask("Write 50 words.")) == text_of(Request(model="simulator-slow", input=other))
    assert text_of(ask("Write 50 words!")) != text_of(ask("Write 50 words."))


def test_it_says_what_it_is() -> None:
    """Nobody should take it for a model."""
    assert "I am a simulator" in text_of(ask("Hello!"))


@pytest.mark.parametrize(
    ("texts", "fact"),
    [
        (["My name is Ada. I like tea.", "Hello Ada!", "What is my name?"], "Your name is Ada."),
        (["The code is 7421. The dog is brown. What is the code?"], "The code is 7421"),
        (["Remember the number 42.", "Good.", "Which number was it?"], "42"),
        (["We meet on Monday.", "Good.", "No, we meet on Friday.", "Good.", "When do we meet?"], "Friday"),
        (["I live in Paris.", "Good.", "Summarise this!"], "I live in Paris"),
        (["What is 17 + 25?"], "42"),
    ],
)
def test_it_answers_from_what_was_said(texts: list[str], fact: str) -> None:
    """A conversation whose history was lost shows in the answer."""
    assert fact in text_of(ask(*texts))


def test_it_reads_its_instructions() -> None:
    """They are context like any other."""
    assert "blue" in text_of(ask("What is the secret colour?", instructions="The secret colour is blue."))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("Write 1000 words", 1000), ("an essay in 300 words", 300), ("a 2,000-word story", 2000)],
)
def test_a_length_asked_for_is_kept_to_the_word(prompt: str, words: int) -> None:
    """Benches and chaos tests need answers of a size."""
    assert len(text_of(ask(prompt)).split()) == words


def test_a_length_in_tokens_is_kept_to_the_token() -> None:
    """The numbers to reach are per 1,000 tokens."""
    finished = list(events_of(ask("Write 1000 tokens.")))[-1]

    assert isinstance(finished, Finished)
    assert finished.usage is not None
    assert finished.usage.output_tokens == 1000


def test_its_prose_compresses_like_prose() -> None:
    """One repeated word would make every bench of stored bytes a lie; English shrinks to 0.4 to 0.5."""
    text = text_of(ask("Write 1000 words.")).encode()

    assert 0.38 < len(zlib.compress(text)) / len(text) < 0.55


def test_an_exact_text_is_given_as_it_is() -> None:
    """Smoke tests ask for one word and compare."""
    assert text_of(ask("Reply with exactly: pong")) == "pong"
    assert text_of(ask('Please say only "ping pong".')) == "ping pong"


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


def test_reasoning_comes_first_and_counts() -> None:
    """Only where it was asked for."""
    events = list(events_of(ask("Hello!", reasoning={"effort": "high"})))

    thoughts = [each for each in events if isinstance(each, ReasoningDelta)]
    assert thoughts
    assert events[: len(thoughts)] == thoughts
    assert isinstance(events[-1], Finished)
    assert events[-1].usage is not None
    assert events[-1].usage.reasoning_tokens == len(thoughts)
    assert not any(isinstance(each, ReasoningDelta) for each in events_of(ask("Hello!")))


def test_usage_counts_what_was_read_and_written() -> None:
    """The same tokens on both sides, one delta each."""
    *deltas, finished = events_of(ask("Hello there!", instructions="Be kind."))

    assert isinstance(finished, Finished)
    assert finished.usage is not None
    assert finished.usage.output_tokens == len(deltas)
    assert finished.usage.input_tokens == count_tokens("Hello there!") + count_tokens("Be kind.")


@pytest.mark.parametrize("changes", [{}, {"tools": [WEATHER, BOOK]}, {"reasoning": {"effort": "low"}}])
def test_the_output_limit_cuts_everything_and_says_so(changes: dict[str, Any]) -> None:
    """`incomplete` is an end of its own kind, and the whole answer begins the same way."""
    whole = list(events_of(ask("Hello!", **changes)))
    *cut, finished = events_of(ask("Hello!", max_output_tokens=6, **changes))

    assert cut == whole[: len(cut)]
    assert sum(not isinstance(each, ToolCallStarted) for each in cut) == 6
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.LENGTH


def test_a_limit_that_is_just_enough_cuts_nothing() -> None:
    """The answer was complete."""
    finished = list(events_of(ask("Reply with exactly: a b c", max_output_tokens=3)))[-1]

    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.STOP


def test_it_writes_at_its_speed_and_makes_up_for_late_wake_ups() -> None:
    """Without that, every loaded machine would have slower models."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + 0.002

    request = ask("Write 800 tokens.")
    asyncio.run(collect(Simulator(80, sleep, lambda: now).stream(request)))

    assert now == pytest.approx(10, abs=0.01)


def test_as_fast_as_it_can_still_lets_others_run() -> None:
    """One greedy stream must not starve the other forty-nine."""
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    asyncio.run(collect(Simulator(0, sleep).stream(ask("Write 50 tokens."))))

    assert naps == [0] * 50


def test_a_cancel_stops_it_in_the_middle_of_a_wait() -> None:
    """Nothing is waited out."""

    async def cancel_while_waiting() -> None:
        waiting, never = asyncio.Event(), asyncio.Event()

        async def sleep(_: float) -> None:
            waiting.set()
            await never.wait()

        task = asyncio.create_task(collect(Simulator(1, sleep).stream(ask("Hello!"))))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_while_waiting())


def test_any_object_will_do_where_no_schema_is_given() -> None:
    """`json_object` promises an object and no more."""
    answer = json.loads(
        text_of(ask("My dog is Rex. What is my dog?", text={"format": {"type": "json_object"}}))
    )

    assert answer["simulated"] is True
    assert "Rex" in answer["answer"]


def test_half_a_character_in_the_prompt_can_be_repeated() -> None:
    """What comes out is stored and sent: it must encode."""
    text_of(ask("Hello \ud83d!")).encode()


def test_images_are_counted_not_seen() -> None:
    """It says so instead of making something up."""
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": "x"}]

    text = text_of(Request(model="simulator", input=[{"type": "message", "role": "user", "content": parts}]))

    assert "1 image, which a simulator cannot see" in text


def test_an_empty_conversation_has_an_answer_too() -> None:
    """Every accepted request comes to an end."""
    assert "Nothing was asked" in text_of(Request(model="simulator", input=[]))
