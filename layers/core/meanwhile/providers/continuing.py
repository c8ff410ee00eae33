"""Asking for the rest of an answer: what is left of its limit, and counts that stand for all of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import NotContinued, ProviderClosed, ProviderRejected
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, ReasoningDelta, Usage
from meanwhile.domain.request import Request

Stream = Callable[[Request, str], AsyncGenerator[ModelEvent, None]]
"""Asks a provider; see `Provider.stream`."""


def stream_behind(
    beginning: Beginning, request: Request, *, stream: Stream, count: Callable[[str], int]
) -> AsyncGenerator[ModelEvent, None]:
    """Stream what a model says behind a beginning; all of its answer, where the beginning has no words.

    `count` estimates the tokens of a text; it may take a while, and is called in a thread of its own, only
    when there are words.

    Raises:
        NotContinued: The provider refused the beginning, or thought about the question once more.
        ProviderError: As `Provider.stream` does.
    """
    if not beginning.words:
        return stream(request, "")
    return _rest(beginning, request, stream, count)


async def _rest(
    beginning: Beginning, request: Request, stream: Stream, count: Callable[[str], int]
) -> AsyncGenerator[ModelEvent, None]:
    spent = await asyncio.to_thread(_Spent.on, beginning, count)
    if request.max_output_tokens is not None:
        left = request.max_output_tokens - spent.words - spent.thoughts
        if left <= 0:
            yield Finished(FinishReason.LENGTH)  # what was read is not known: the call that read it broke off
            return
        request = replace(request, max_output_tokens=left)
    has_spoken = False
    try:
        async with aclosing(stream(request, beginning.words)) as events:
            async for event in events:
                if isinstance(event, ReasoningDelta) and not has_spoken:
                    # Servers that do not see that the thinking is over take the rest of the text for it.
                    raise NotContinued("The provider began to think instead of going on.")
                has_spoken = True
                yield spent.added_to(event) if isinstance(event, Finished) else event
    except ProviderRejected as error:
        if has_spoken or isinstance(error, ProviderClosed):
            raise
        raise NotContinued(f"The provider did not go on from a beginning. {error}") from error


@dataclass(frozen=True, slots=True)
class _Spent:
    """Output tokens of the calls before, as far as their words are still there; an estimate."""

    words: int
    thoughts: int

    @classmethod
    def on(cls, beginning: Beginning, count: Callable[[str], int]) -> "_Spent":
        return cls(count(beginning.words), count(beginning.thoughts) if beginning.thoughts else 0)

    def added_to(self, end: Finished) -> Finished:
        """Return an end whose counts are those of the whole answer.

        The provider has read the words as input, so they only change sides; the thoughts it has not seen.
        """
        if end.usage is None:
            return end
        words = min(self.words, end.usage.input_tokens)
        read = end.usage.input_tokens - words
        usage = Usage(
            input_tokens=read,
            output_tokens=end.usage.output_tokens + words + self.thoughts,
            cached_tokens=min(end.usage.cached_tokens, read),
            cache_write_tokens=min(end.usage.cache_write_tokens, read),
            reasoning_tokens=end.usage.reasoning_tokens + self.thoughts,
        )
        return replace(end, usage=usage)
