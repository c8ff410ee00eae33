"""The simulator keeps its promises: the same answer every time, from what it was given, at its speed."""

import asyncio
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallStarted,
)
from meanwhile.domain.request import Request
from meanwhile.providers.simulation.tokens import count_tokens
from meanwhile.providers.simulator import Simulator, events_of, text_of
from tests.support.files import PDF, file_of
from tests.unit.providers.conversations import BOOK, WEATHER, ask, collect, said


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


@given(st.data())
def test_it_goes_on_from_any_beginning_of_its_answer(data: st.DataObject) -> None:
    """Whatever a crash has left of it, the whole is the answer that was foretold."""
    request = ask("Write 60 words.")
    whole = text_of(request)
    beginning = whole[: data.draw(st.integers(1, len(whole)))].rstrip()

    seen = list(events_of(request, beginning))

    assert beginning + "".join(each.text for each in seen if isinstance(each, TextDelta)) == whole


@pytest.mark.parametrize("most", [None, 1, 30, 10_000])
def test_going_on_costs_what_the_whole_answer_costs(most: int | None) -> None:
    """What was written counts as read, and the limit is what is left of it: nothing else changes."""
    request = ask("Write 60 words.", max_output_tokens=most)
    *said, end = events_of(request)
    assert isinstance(end, Finished)
    assert end.usage is not None
    cut = len(said) // 2
    beginning = "".join(each.text for each in said[:cut] if isinstance(each, TextDelta))
    left = most and most - count_tokens(beginning)

    *rest, rest_end = events_of(ask("Write 60 words.", max_output_tokens=left), beginning)

    assert rest == said[cut:]
    assert isinstance(rest_end, Finished)
    assert rest_end.usage is not None
    assert rest_end.reason is end.reason
    assert rest_end.usage.input_tokens == end.usage.input_tokens + count_tokens(beginning)
    assert rest_end.usage.output_tokens == end.usage.output_tokens - count_tokens(beginning)


def test_behind_a_beginning_it_does_not_think_again() -> None:
    """Nor does a model that is given one."""
    request = ask("Write 60 words.", reasoning={"effort": "low"})

    seen = list(events_of(request, text_of(request)[:20].rstrip()))

    assert not [each for each in seen if isinstance(each, ReasoningDelta)]


def test_behind_somebody_else_s_beginning_it_says_its_own_answer() -> None:
    """It cannot go on from what it would never have said."""
    request = ask("Hello!")

    seen = list(events_of(request, "Once upon"))

    assert "".join(each.text for each in seen if isinstance(each, TextDelta)) == text_of(request)


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

    assert 0.4 < len(zlib.compress(text)) / len(text) < 0.5


def test_an_exact_text_is_given_as_it_is() -> None:
    """Smoke tests ask for one word and compare."""
    assert text_of(ask("Reply with exactly: pong")) == "pong"
    assert text_of(ask('Please say only "ping pong".')) == "ping pong"


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
    odd = {"type": "json_schema", "name": "x", "schema": {"properties": {"\ud83d": {"type": "string"}}}}

    text_of(ask("Hello \ud83d!")).encode()
    text_of(ask("Hello!", text={"format": odd})).encode()


def test_images_are_counted_not_seen() -> None:
    """It says so instead of making something up."""
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": "x"}]

    text = text_of(Request(model="simulator", input=[{"type": "message", "role": "user", "content": parts}]))

    assert "1 image, which a simulator cannot see" in text


def test_text_files_are_read_and_pdfs_are_counted() -> None:
    """What it says of a file is the file's, and what the user asked is the user's."""
    rules = file_of("The door is blue.\nThe key is under the mat.", "house.txt", "text/plain")
    parts = [rules, PDF, {"type": "input_text", "text": "Where is the key?"}]

    text = text_of(Request(model="simulator", input=[{"type": "message", "role": "user", "content": parts}]))

    assert 'The file says: "The key is under the mat".' in text
    assert 'You asked: "Where is the key?".' in text
    assert "1 PDF, which a simulator cannot read" in text


def test_the_mark_around_a_file_is_nothing_that_it_says() -> None:
    """Every question for a name would find it there."""
    parts = [
        file_of("# Notes", "notes.md", "text/markdown"),
        {"type": "input_text", "text": "What is my name?"},
    ]
    asked = {"type": "message", "role": "user", "content": parts}

    text = text_of(Request(model="simulator", input=[said("user", "My name is Ada."), asked]))

    assert "Ada" in text
    assert "<file" not in text


def test_an_empty_conversation_has_an_answer_too() -> None:
    """Every accepted request comes to an end."""
    assert "Nothing was asked" in text_of(Request(model="simulator", input=[]))
