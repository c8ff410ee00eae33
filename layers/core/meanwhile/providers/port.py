"""The one true port: a request in, a stream of model events out."""

from collections.abc import AsyncGenerator
from typing import Protocol

from meanwhile.domain.model_events import ModelEvent
from meanwhile.domain.request import Request


class Provider(Protocol):
    """A language model, wherever it runs."""

    def stream(self, request: Request, beginning: str = "") -> AsyncGenerator[ModelEvent, None]:
        """Ask once, and yield what the model says until its own end (`Finished`, always last).

        With a `beginning`, words that the answer has already and that end in no white space, it goes on
        from there: yields only what stands behind them, white space included, and counts them as input.
        Only a model whose catalogue entry names its way of continuing is given one.

        Never retries: that is decided by the caller, which knows what was already written. Closing the
        iterator (`aclose`, or cancelling the task that reads it) closes the connection at once.
        A request is passed as it is stored; `request.model` is the id the caller gave.

        Raises:
            ProviderBusy: Asked to come back later; `retry_after` where the provider said when.
            ProviderBroken: It failed, fell silent beyond the limits, or stopped without its own end.
            ProviderRejected: Final; asking again would get the same answer.
        """
        ...

    def count(self, text: str) -> int:
        """Return about how many output tokens a text has cost; the first call may take half a second."""
        ...
