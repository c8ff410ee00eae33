"""The one place where a model is asked again. Nothing below it retries, and nothing above it."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from meanwhile.domain.errors import ProviderBroken, ProviderBusy
from meanwhile.domain.model_events import ModelEvent
from meanwhile.domain.request import Request
from meanwhile.providers.port import Provider

BASE_SECONDS = 0.5
CAP_SECONDS = 20.0
MOST_TRIES = 12


async def stream_with_patience(
    provider: Provider,
    request: Request,
    beginning: str = "",
    *,
    monotonic: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    jitter: Callable[[], float],
    deadline_seconds: float,
    on_retry: Callable[[ProviderBusy | ProviderBroken, float], None] | None = None,
) -> AsyncGenerator[ModelEvent, None]:
    """Stream an answer, asking again while the provider is busy or broken and has not said anything yet.

    With a `beginning`, the answer is what stands behind it.

    Waits grow from half a second to twenty, times `jitter()` (a number from 0 to 1, so that many workers do
    not come back together), and are never shorter than the provider asked for. `on_retry` hears of every
    wait before it begins.

    Raises:
        ProviderBusy, ProviderBroken: The answer had begun, the tries are used up, or the next wait would end
            more than `deadline_seconds` after the start; always the last error as it was.
        ProviderRejected: At once.
    """
    started = monotonic()
    for tried in range(MOST_TRIES):
        events = provider.stream(request, beginning)
        begun = False
        try:
            async for event in events:
                begun = True
                yield event
            return
        except (ProviderBusy, ProviderBroken) as error:
            wait = _wait(error, tried, jitter())
            out_of_time = monotonic() + wait - started > deadline_seconds
            if begun or out_of_time or tried + 1 == MOST_TRIES:
                raise
            if on_retry is not None:
                on_retry(error, wait)
        finally:
            await _closed(events)
        await sleep(wait)


def _wait(error: ProviderBusy | ProviderBroken, tried: int, jitter: float) -> float:
    wait = min(CAP_SECONDS, BASE_SECONDS * 2.0**tried) * jitter
    asked = error.retry_after if isinstance(error, ProviderBusy) else None
    return max(wait, asked or 0.0)


async def _closed(events: AsyncIterator[ModelEvent]) -> None:
    """Close it now, connection and all; left to the garbage collector it would be closed some time."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
