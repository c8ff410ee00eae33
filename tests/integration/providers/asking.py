"""Asking the adapter, in one line."""

import asyncio
from typing import Any

from meanwhile.domain.errors import ProviderError
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    Usage,
)
from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import Continuation, ModelEntry
from meanwhile.providers.chat_completions import ChatCompletions
from tests.fake_provider import (
    FakeProvider,
    Script,
)

USAGE = Usage(input_tokens=7, output_tokens=3)
STOP = Finished(FinishReason.STOP, USAGE)
QUESTION = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}


def adapter(
    provider: FakeProvider, *, first: float = 20, gap: float = 20, continuation: Continuation = "none"
) -> ChatCompletions:
    """Return an adapter for the server."""
    return ChatCompletions(
        base_url=provider.base_url,
        api_key="key",
        entry=ModelEntry(id="fake", provider="chat_completions", continuation=continuation),
        first_token_seconds=first,
        gap_seconds=gap,
        count_text=lambda text: len(text.split()),
    )


def ask(**changes: Any) -> Request:
    """Return a request, plain but for the changes."""
    return Request(**{"model": "fake", "input": [QUESTION], **changes})


async def events_of(model: ChatCompletions, request: Request) -> list[ModelEvent]:
    """Return everything the model says."""
    return [event async for event in model.stream(request)]


def answer(provider: FakeProvider, script: Script, **limits: Any) -> list[ModelEvent]:
    """Return what the adapter makes of the script."""
    provider.script(script)
    return asyncio.run(events_of(adapter(provider, **limits), ask()))


def failure(provider: FakeProvider, script: Script, **limits: Any) -> tuple[list[ModelEvent], ProviderError]:
    """Return what came before the error, and the error."""

    async def run() -> tuple[list[ModelEvent], ProviderError]:
        seen: list[ModelEvent] = []
        try:
            async for event in adapter(provider, **limits).stream(ask()):
                seen.append(event)  # noqa: PERF401  # what was seen before the error counts
        except ProviderError as error:
            return seen, error
        raise AssertionError("there was no error")

    provider.script(script)
    return asyncio.run(run())
