"""Asking the model of a request: patiently, and from its beginning on if it has one."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.model_events import ModelEvent
from meanwhile.domain.request import Request
from meanwhile.providers.continuing import stream_behind
from meanwhile.providers.retry import stream_with_patience
from meanwhile.providers.router import Providers


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What the worker asks models with. One per process; safe in any thread and event loop."""

    providers: Providers
    patience_seconds: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]

    def __call__(self, request: Request, beginning: Beginning) -> AsyncGenerator[ModelEvent, None]:
        """Stream what the model says behind the beginning.

        Raises:
            InvalidRequest: The catalogue does not know the model (`model_not_found`).
            ProviderError: As `stream_behind` and `stream_with_patience` say.
        """
        provider = self.providers.provider_for(request.model)

        def stream(request: Request, words: str) -> AsyncGenerator[ModelEvent, None]:
            return stream_with_patience(
                provider,
                request,
                words,
                monotonic=self.monotonic,
                sleep=self.sleep,
                jitter=self.jitter,
                deadline_seconds=self.patience_seconds,
            )

        return stream_behind(beginning, request, stream=stream, count=provider.count)
