"""A provider without a network: the same request always gets the same answer, at a set speed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from meanwhile.domain.request import Request
from meanwhile.providers.simulation.answer import answer_to
from meanwhile.providers.simulation.context import texts_of
from meanwhile.providers.simulation.tokens import count_tokens, tokens_of
from meanwhile.providers.surrogates import healed


@dataclass(frozen=True, slots=True)
class Simulator:
    """Answers from what it was given, one delta per token. For tests, for benches, and for a first look."""

    tokens_per_second: float = 0
    """0 writes as fast as it can, and still lets others run between two tokens."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] | None = None
    """With a clock, a wake-up that came late is made up for; without, every token waits the same."""

    async def stream(self, request: Request, beginning: str = "") -> AsyncGenerator[ModelEvent, None]:
        """Yield the answer's events; waits only in `sleep`, so a cancel ends it at once.

        An answer that starts with the beginning is gone on with; behind any other it says all of its own.

        Raises:
            ProviderRejected: No value can be found for a JSON Schema in the request.
        """
        started = self.clock() if self.clock else 0.0
        written = 0
        for event in events_of(request, beginning):
            if not isinstance(event, ToolCallStarted | Finished):
                written += 1
                await self.sleep(self._wait(written, started))
            yield event

    def count(self, text: str) -> int:
        """Return exactly how many of its tokens a text has."""
        return count_tokens(text)

    def _wait(self, written: int, started: float) -> float:
        if not self.tokens_per_second:
            return 0
        if self.clock is None:
            return 1 / self.tokens_per_second
        return max(0.0, started + written / self.tokens_per_second - self.clock())


def text_of(request: Request) -> str:
    """Return the exact text the simulator answers this request with, whatever happens on the way."""
    return "".join(event.text for event in events_of(request) if isinstance(event, TextDelta))


def events_of(request: Request, beginning: str = "") -> Iterator[ModelEvent]:
    """Yield all the events of the answer behind a beginning, cut where `max_output_tokens` are used up."""
    answer = answer_to(request)
    left = _Allowance(request.max_output_tokens)
    reasoning = [] if beginning else list(left.of(healed(answer.reasoning)))
    yield from map(ReasoningDelta, reasoning)
    yield from map(TextDelta, left.of(healed(answer.text).removeprefix(beginning)))
    for index, call in enumerate(answer.calls):
        if left.cut:
            break
        yield ToolCallStarted(index, "", call.name)
        for piece in left.of(healed(call.arguments)):
            yield ToolCallDelta(index, piece)
    usage = Usage(
        input_tokens=sum(map(count_tokens, texts_of(request))) + count_tokens(beginning),
        output_tokens=left.used,
        reasoning_tokens=len(reasoning),
    )
    yield Finished(FinishReason.LENGTH if left.cut else FinishReason.STOP, usage)


class _Allowance:
    """The output tokens a request may use, in all its parts together."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.used = 0
        self.cut = False

    def of(self, text: str) -> Iterator[str]:
        """Yield the text's tokens while any may be used."""
        for token in tokens_of(text):
            if self.used == self.most:
                self.cut = True
                return
            self.used += 1
            yield token
