"""A chat completions server that misbehaves, seen from the other end of the whole service."""

import json
import time
from typing import Any

import pytest
from openai import OpenAI

from tests.fake_provider import Answer, Cut, Raw, Silence, calls, chunk, end, says, text
from tests.stack.conftest import (
    FIRST_TOKEN_SECONDS,
    GAP_SECONDS,
    IMPATIENT,
    PATIENCE_SECONDS,
    RESEND_SECONDS,
)
from tests.stack.talking import ask, ended, error_of, speaking, statuses, texts, when
from tests.stack.upstream import Upstream

pytestmark = pytest.mark.xdist_group("stack")

OVERLOADED = [Answer(500, {"error": {"message": "secret words of the provider", "type": "server_error"}})]


def test_a_providers_words_and_counts_arrive(sdk: OpenAI, upstream: Upstream) -> None:
    """The plain case: what it streams is the answer, what it counted is the usage."""
    model = upstream.model(says("Hello", ", ", "world."))

    response = sdk.responses.create(
        model=model, input="Greet.", instructions="Be kind.", temperature=0.5, max_output_tokens=99
    )

    assert (response.status, response.output_text, response.model) == ("completed", "Hello, world.", model)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 3)
    (asked,) = upstream.asked(model)
    assert asked.body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Greet."},
    ]
    assert (asked.body["temperature"], asked.body["max_tokens"]) == (0.5, 99)


def test_function_calls_in_fragments_arrive_whole(sdk: OpenAI, upstream: Upstream) -> None:
    """The provider's own call id is kept: it must find its call again beside the output."""
    arguments = json.dumps({"city": "Zürich", "days": 3})
    model = upstream.model(calls("forecast", arguments, call_id="call_abc", pieces=5), says("Sunny."))
    tools: Any = [{"type": "function", "name": "forecast", "parameters": {"type": "object"}, "strict": False}]

    first = sdk.responses.create(model=model, input="Weather?", tools=tools)

    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, call.call_id, call.arguments) == ("forecast", "call_abc", arguments)
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
    asked_again: Any = [{"role": "user", "content": "Weather?"}, call.to_dict(), output]
    final = sdk.responses.create(model=model, input=asked_again, tools=tools)
    assert final.output_text == "Sunny."
    told = upstream.asked(model)[1].body["messages"]
    assert told[1]["tool_calls"][0]["id"] == told[2]["tool_call_id"] == "call_abc"


def test_a_stream_that_is_cut_starts_over(sdk: OpenAI, upstream: Upstream) -> None:
    """What was half said is given up, without its words; the answer is said anew and whole."""
    heard = Silence()
    model = upstream.model([*text("Half of a"), heard, Cut()], says("A whole sentence."))
    asked = ask(sdk, "Speak.", model=model)

    assert speaking(sdk, asked.id).output_text == "Half of a"
    heard.until.set()

    response = ended(sdk, asked.id)
    assert response.status == "completed"
    assert texts(response) == ["", "A whole sentence."]
    assert statuses(response) == ["incomplete", "completed"]
    assert response.output_text == "A whole sentence."


def test_a_stream_that_just_stops_is_not_complete(sdk: OpenAI, upstream: Upstream) -> None:
    """A proxy may end a stream politely. Only the provider's own finish reason is an end."""
    model = upstream.model(text("Half of a"), says("A whole sentence."))

    response = ended(sdk, ask(sdk, "Speak.", model=model).id)

    assert (statuses(response), response.output_text) == (["incomplete", "completed"], "A whole sentence.")


def test_a_malformed_chunk_starts_over(sdk: OpenAI, upstream: Upstream) -> None:
    """Nothing can be trusted behind it."""
    model = upstream.model([*text("Half"), Raw(b"data: {not json\n\n"), *end()], says("Whole."))

    response = ended(sdk, ask(sdk, "Speak.", model=model).id)

    assert (statuses(response), response.output_text) == (["incomplete", "completed"], "Whole.")


def test_function_calls_that_are_cut_start_over(sdk: OpenAI, upstream: Upstream) -> None:
    """Half an argument must never be taken for a whole one, and agents make every call that they find."""
    whole = calls("forecast", '{"city": "Rome"}')
    heard = Silence()
    model = upstream.model([*whole[:2], heard, Cut()], whole)
    tools: Any = [{"type": "function", "name": "forecast", "parameters": {"type": "object"}, "strict": False}]

    asked = ask(sdk, "Weather?", model=model, tools=tools)

    when(sdk, asked.id, lambda found: bool(found.output))
    heard.until.set()

    found: Any = ended(sdk, asked.id).output
    assert [(each.status, each.arguments) for each in found] == [("completed", '{"city": "Rome"}')]
    assert len(upstream.asked(model)) == 2


def test_a_provider_silent_before_its_first_word_is_asked_again(sdk: OpenAI, upstream: Upstream) -> None:
    """Nothing was said yet, so nothing is given up."""
    model = upstream.model([Silence()], says("Here I am."), kind=IMPATIENT)
    started = time.monotonic()

    response = ended(sdk, ask(sdk, "Anybody there?", model=model).id)

    assert (statuses(response), response.output_text) == (["completed"], "Here I am.")
    assert time.monotonic() - started >= FIRST_TOKEN_SECONDS
    assert upstream.asked(model)[0].closed.wait(10)


def test_a_provider_that_falls_silent_in_mid_sentence_starts_over(sdk: OpenAI, upstream: Upstream) -> None:
    """Its connection is closed, so that it stops writing what nobody will read."""
    model = upstream.model([*text("Half"), Silence()], says("Whole."), kind=IMPATIENT)
    started = time.monotonic()

    response = ended(sdk, ask(sdk, "Speak.", model=model).id)

    assert (statuses(response), response.output_text) == (["incomplete", "completed"], "Whole.")
    assert time.monotonic() - started >= GAP_SECONDS
    assert upstream.asked(model)[0].closed.wait(10)


def test_comments_are_signs_of_life(sdk: OpenAI, upstream: Upstream) -> None:
    """Gateways send them while a model thinks between two words; here for longer than the gap allows."""
    silences = [Silence() for _ in range(11)]
    comments = [step for silence in silences for step in (silence, Raw(b": thinking\n\n"))]
    model = upstream.model([*text("So "), *comments, *text("there."), *end()], kind=IMPATIENT)
    response = ask(sdk, "Speak.", model=model)

    started = time.monotonic()
    for silence in silences:
        assert silence.reached.wait(10)
        silence.until.wait(GAP_SECONDS * 0.1)
        silence.until.set()

    found = ended(sdk, response.id)
    assert (statuses(found), found.output_text) == (["completed"], "So there.")
    assert time.monotonic() - started > GAP_SECONDS


def test_a_busy_provider_is_left_alone_for_as_long_as_it_asked(sdk: OpenAI, upstream: Upstream) -> None:
    """A 429 with `retry-after` is no failure: the user only waits."""
    busy = [Answer(429, {"error": {"code": "rate_limit_exceeded"}}, {"retry-after": "1"})]
    model = upstream.model(busy, says("Now I have time."))
    started = time.monotonic()

    response = ended(sdk, ask(sdk, "Are you free?", model=model).id)

    assert (response.status, response.output_text) == ("completed", "Now I have time.")
    assert time.monotonic() - started >= 1


def test_a_response_is_put_down_while_its_provider_is_busy_for_long(sdk: OpenAI, upstream: Upstream) -> None:
    """No worker waits that long. Its message comes back by itself; the sweeper must not be quicker."""
    wait = RESEND_SECONDS + 2
    assert wait > PATIENCE_SECONDS
    busy = [Answer(429, {"error": {"code": "rate_limit_exceeded"}}, {"retry-after": str(wait)})]
    model = upstream.model(busy, says("Now I have time."))
    started = time.monotonic()

    response = ended(sdk, ask(sdk, "Are you free?", model=model).id)

    assert (response.status, response.output_text) == ("completed", "Now I have time.")
    assert time.monotonic() - started >= wait
    assert len(upstream.asked(model)) == 2


def test_an_outage_that_passes_is_not_seen(sdk: OpenAI, upstream: Upstream) -> None:
    """A 500 before the first word is asked again."""
    model = upstream.model(OVERLOADED, says("Better now."))

    response = sdk.responses.create(model=model, input="Are you well?")

    assert (statuses(response), response.output_text) == (["completed"], "Better now.")


def test_an_outage_that_stays_ends_as_failed(sdk: OpenAI, upstream: Upstream) -> None:
    """The poller learns that it is over and whose fault it was, in our words: theirs may quote anybody."""
    model = upstream.model(OVERLOADED)

    response = ended(sdk, ask(sdk, "Are you well?", model=model).id)

    assert response.output == []
    assert error_of(response) == {
        "code": "provider_error",
        "message": "The provider answered with HTTP status 500 (server_error).",
    }


def test_a_refusal_of_the_provider_is_final(sdk: OpenAI, upstream: Upstream) -> None:
    """Asking again would get the same answer. Who waits gets a failed response, not an exception."""
    model = upstream.model([Answer(400, {"error": {"message": "secret", "code": "context_length_exceeded"}})])

    response = sdk.responses.create(model=model, input="Hello")

    assert error_of(response) == {
        "code": "provider_rejected",
        "message": "The provider answered with HTTP status 400 (context_length_exceeded).",
    }
    assert len(upstream.asked(model)) == 1


def test_reasoning_comes_before_the_answer_as_an_item_of_its_own(sdk: OpenAI, upstream: Upstream) -> None:
    """`reasoning_content` is what vLLM, DeepSeek and others send; it is no part of the text."""
    model = upstream.model([chunk({"reasoning_content": "Let me think."}), *says("Yes.")])

    response = sdk.responses.create(model=model, input="Really?", reasoning={"effort": "low"})

    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text == "Yes."


def test_partial_text_of_a_slow_provider_can_be_polled(sdk: OpenAI, upstream: Upstream) -> None:
    """It is shown while the provider pauses, not only once it goes on."""
    silence = Silence()
    model = upstream.model([*text("One, "), silence, *text("two."), *end()])
    response = ask(sdk, "Count.", model=model)

    assert speaking(sdk, response.id).output_text == "One, "
    silence.until.set()

    assert ended(sdk, response.id).output_text == "One, two."
