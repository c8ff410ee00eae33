"""Asking again, on a clock that only moves when somebody waits."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from meanwhile.domain.errors import ProviderBroken, ProviderBusy, ProviderError, ProviderRejected
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, TextDelta
from meanwhile.domain.request import Request
from meanwhile.providers.retry import CAP_SECONDS, MOST_TRIES, stream_with_patience

END = Finished(FinishReason.STOP)
HELLO: list[ModelEvent] = [TextDelta("Hello"), END]
REQUEST = Request(model="m", input=[])
BUSY = ProviderBusy("busy")
BROKEN = ProviderBroken("broken")


class Scripted:
    """A provider that plays one attempt after the other; an error in an attempt is raised."""

    def __init__(self, *attempts: Sequence[ModelEvent | ProviderError]) -> None:
        self.attempts = list(attempts)
        self.asked = 0
        self.closed = 0
        self.beginnings: list[str] = []

    def count(self, text: str) -> int:
        return len(text.split())

    async def stream(self, request: Request, beginning: str = "") -> AsyncGenerator[ModelEvent, None]:
        assert request is REQUEST
        self.beginnings.append(beginning)
        self.asked += 1
        try:
            for event in self.attempts.pop(0):
                if isinstance(event, ProviderError):
                    raise event
                yield event
        finally:
            self.closed += 1


class Clock:
    """Time that passes only in `sleep`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def run(
    provider: Scripted, clock: Clock, *, jitter: float = 1.0, deadline: float = 600
) -> tuple[list[ModelEvent], ProviderError | None]:
    """Return what came through, and the error it ended with."""

    async def read() -> tuple[list[ModelEvent], ProviderError | None]:
        seen: list[ModelEvent] = []
        events = stream_with_patience(
            provider,
            REQUEST,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            jitter=lambda: jitter,
            deadline_seconds=deadline,
        )
        try:
            async for event in events:
                seen.append(event)  # noqa: PERF401  # what was seen before the error counts
        except ProviderError as error:
            return seen, error
        return seen, None

    return asyncio.run(read())


def test_an_answer_that_comes_is_asked_for_once() -> None:
    """The provider's bill says exactly once."""
    provider, clock = Scripted([*HELLO]), Clock()

    assert run(provider, clock) == (HELLO, None)
    assert (provider.asked, clock.naps) == (1, [])


def test_waits_double_up_to_a_cap() -> None:
    """A provider in trouble is asked less and less often."""
    provider, clock = Scripted(*[[BUSY]] * 7, [*HELLO]), Clock()

    assert run(provider, clock) == (HELLO, None)
    assert clock.naps == [0.5, 1, 2, 4, 8, 16, CAP_SECONDS]


def test_waits_are_spread_by_the_jitter() -> None:
    """Fifty streams refused together must not come back together."""
    provider, clock = Scripted([BROKEN], [BUSY], [*HELLO]), Clock()

    run(provider, clock, jitter=0.25)

    assert clock.naps == [0.125, 0.25]


def test_the_provider_s_own_time_is_never_undercut() -> None:
    """It may ask for longer than we would have waited, and then gets it."""
    provider, clock = Scripted([ProviderBusy("busy", retry_after=42)], [*HELLO]), Clock()

    run(provider, clock, jitter=0)

    assert clock.naps == [42]


@pytest.mark.parametrize("error", [BUSY, BROKEN])
def test_an_error_after_the_first_word_goes_through_unchanged(error: ProviderError) -> None:
    """Whether words already written are kept is not decided here."""
    provider, clock = Scripted([TextDelta("Hel"), error], [*HELLO]), Clock()

    assert run(provider, clock) == ([TextDelta("Hel")], error)
    assert provider.asked == 1


def test_a_rejection_is_final_at_once() -> None:
    """The same question would get the same answer."""
    rejected = ProviderRejected("no")
    provider, clock = Scripted([rejected], [*HELLO]), Clock()

    assert run(provider, clock) == ([], rejected)


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """The caller can put the response down and spend the wait on others."""
    late = ProviderBusy("busy", retry_after=61)
    provider, clock = Scripted([BROKEN], [late], [*HELLO]), Clock()

    assert run(provider, clock, deadline=60) == ([], late)
    assert clock.naps == [0.5]


def test_the_tries_are_bounded_even_without_waits() -> None:
    """A jitter of zero is possible twelve times in a row."""
    provider, clock = Scripted(*[[BROKEN]] * (MOST_TRIES + 1)), Clock()

    assert run(provider, clock, jitter=0) == ([], BROKEN)
    assert provider.asked == MOST_TRIES


def test_every_attempt_is_closed_before_the_next_and_when_the_reader_leaves() -> None:
    """An open stream is an open connection, and an open bill."""
    provider, clock = Scripted([BUSY], [*HELLO]), Clock()

    async def read_one_word() -> None:
        events = stream_with_patience(
            provider,
            REQUEST,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            jitter=lambda: 1.0,
            deadline_seconds=60,
        )
        await anext(events)
        await events.aclose()

    asyncio.run(read_one_word())
    assert provider.closed == 2


def test_every_wait_is_told_before_it_begins() -> None:
    """Somebody has to see that a provider is in trouble."""
    provider, clock = Scripted([BUSY], [*HELLO]), Clock()
    told: list[tuple[ProviderError, float, int]] = []

    async def read() -> None:
        async for _ in stream_with_patience(
            provider,
            REQUEST,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            jitter=lambda: 1.0,
            deadline_seconds=60,
            on_retry=lambda error, wait: told.append((error, wait, len(clock.naps))),
        ):
            pass

    asyncio.run(read())
    assert told == [(BUSY, 0.5, 0)]


def test_a_beginning_is_given_again_with_every_try() -> None:
    """Nothing was said behind it yet."""
    provider, clock = Scripted([BUSY], HELLO), Clock()

    async def read() -> None:
        events = stream_with_patience(
            provider,
            REQUEST,
            "Once upon",
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            jitter=lambda: 1,
            deadline_seconds=600,
        )
        async for _ in events:
            pass

    asyncio.run(read())

    assert provider.beginnings == ["Once upon"] * 2
