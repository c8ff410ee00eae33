"""The rest of an answer: asked for within its limit, and counted as the whole."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import (
    NotContinued,
    ProviderBroken,
    ProviderClosed,
    ProviderError,
    ProviderRejected,
)
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from meanwhile.domain.request import Request
from meanwhile.providers.continuing import stream_behind
from tests.unit.providers.conversations import collect

BEGINNING = Beginning(text="one two three ")
REQUEST = Request(model="m", input=[])
FOUR = TextDelta(" four")
END = Finished(FinishReason.STOP, Usage(input_tokens=10, output_tokens=1))


class Server:
    """Says what it was told to, and remembers what it was asked."""

    def __init__(self, *said: ModelEvent | ProviderError) -> None:
        self.said = said
        self.asked: list[tuple[Request, str]] = []
        self.closed = False

    async def stream(self, request: Request, words: str) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append((request, words))
        try:
            for each in self.said:
                if isinstance(each, ProviderError):
                    raise each
                yield each
        finally:
            self.closed = True


def rest(server: Server, beginning: Beginning = BEGINNING, **changes: Any) -> Sequence[ModelEvent]:
    """Return what stands behind the beginning; a token is a word."""
    request = Request(**{"model": "m", "input": [], **changes})
    events = stream_behind(beginning, request, stream=server.stream, count=lambda text: len(text.split()))
    return asyncio.run(collect(events))


def test_the_words_are_given_without_the_white_space_behind_them() -> None:
    """Some servers strip it and some do not; this way all are asked for the same."""
    server = Server(FOUR, END)

    assert rest(server)[0] == FOUR
    assert server.asked == [(REQUEST, "one two three")]


@pytest.mark.parametrize("text", ["", "\n "])
def test_without_words_it_is_the_question_as_it_was(text: str) -> None:
    """Nothing is counted, and nothing is taken off the limit."""
    server = Server(ReasoningDelta("hm"), FOUR, END)

    assert rest(server, Beginning(text=text), max_output_tokens=2) == [ReasoningDelta("hm"), FOUR, END]
    assert server.asked == [(Request(model="m", input=[], max_output_tokens=2), "")]


def test_what_is_left_of_the_limit_is_asked_for() -> None:
    """Thoughts and words of the calls before have used some of it."""
    server = Server(FOUR, END)

    rest(server, Beginning(text="one two three", thoughts="well then"), max_output_tokens=20)

    ((asked, _),) = server.asked
    assert asked.max_output_tokens == 15


@pytest.mark.parametrize("most", [1, 3])
def test_with_nothing_left_nobody_is_asked(most: int) -> None:
    """The crash came between the last word and the end."""
    server = Server()

    assert rest(server, max_output_tokens=most) == [Finished(FinishReason.LENGTH)]
    assert server.asked == []


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 60))
def test_the_beginning_is_counted_as_output_and_the_total_stays(
    read: int, said: int, cached: int, reasoning: int, words: int
) -> None:
    """The provider has counted it as input; it is the same tokens, and no count goes below nothing."""
    counted = Usage(
        input_tokens=read,
        output_tokens=said,
        cached_tokens=min(cached, read),
        cache_write_tokens=min(cached, read),
        reasoning_tokens=min(reasoning, said),
    )

    *_, end = rest(Server(FOUR, Finished(FinishReason.STOP, counted)), Beginning(text="word " * words))

    assert isinstance(end, Finished)
    usage = end.usage
    assert usage is not None
    assert usage.input_tokens + usage.output_tokens == read + said
    assert usage.output_tokens == said + min(words, read)
    assert max(usage.cached_tokens, usage.cache_write_tokens) <= usage.input_tokens
    assert usage.reasoning_tokens == counted.reasoning_tokens


def test_thoughts_before_the_beginning_are_counted_too() -> None:
    """This provider was never sent them, and the caller pays for them all the same."""
    *_, end = rest(Server(FOUR, END), Beginning(text="one two three", thoughts="well then"))

    assert end == Finished(FinishReason.STOP, Usage(input_tokens=7, output_tokens=6, reasoning_tokens=2))


def test_a_provider_that_counts_nothing_is_not_counted_for() -> None:
    """Half a count would pass for a whole one."""
    assert rest(Server(FOUR, Finished(FinishReason.STOP)))[-1] == Finished(FinishReason.STOP)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(ProviderRejected("HTTP status 400"), id="it refuses"),
        pytest.param(ReasoningDelta("The user asks"), id="it thinks anew"),
    ],
)
def test_a_provider_that_does_not_go_on_is_told_apart(said: ModelEvent | ProviderError) -> None:
    """The answer can still start over; and text that passes for thoughts must not get lost."""
    server = Server(said, FOUR, END)

    with pytest.raises(NotContinued):
        rest(server)

    assert server.closed


@pytest.mark.parametrize("error", [ProviderClosed("HTTP status 401"), ProviderBroken("HTTP status 500")])
def test_refusals_that_are_not_about_the_beginning_are_its_own(error: ProviderError) -> None:
    """Starting over would ask the same account once more, and end with words about an interruption."""
    with pytest.raises(type(error)):
        rest(Server(error))


@pytest.mark.parametrize("error", [ProviderRejected("final"), ProviderBroken("again")])
def test_errors_behind_its_first_word_are_its_own(error: ProviderError) -> None:
    """It did go on."""
    with pytest.raises(type(error)):
        rest(Server(FOUR, error))


def test_thoughts_and_refusals_behind_its_first_word_are_its_own() -> None:
    """Models think between two sentences, and change their minds."""
    said: list[ModelEvent] = [FOUR, ReasoningDelta("hm"), RefusalDelta("No.")]

    assert list(rest(Server(*said, END)))[:3] == said
