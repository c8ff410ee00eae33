"""Which provider serves which model."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from meanwhile.domain.errors import InvalidRequest
from meanwhile.providers.catalogue import Catalogue
from meanwhile.providers.port import Provider
from meanwhile.settings import Settings


@dataclass(frozen=True, slots=True)
class Providers:
    """Hands out the provider of a model. One per process; safe in any thread and event loop."""

    catalogue: Catalogue
    settings: Settings
    count: Callable[[str, str], int]
    """Estimates the tokens of a text: given the name of a vocabulary, and the text."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] | None = time.monotonic

    def continues(self, model_id: str) -> bool:
        """Whether the model goes on from a beginning that it is given; one that is gone does not."""
        try:
            return self.catalogue.find(model_id).continuation != "none"
        except InvalidRequest:
            return False

    def provider_for(self, model_id: str) -> Provider:
        """Return a provider to ask this model by.

        Raises:
            InvalidRequest: The catalogue does not know the model (`model_not_found`).
        """
        entry = self.catalogue.find(model_id)
        # Only who uses a provider pays for its import at a cold start: httpx costs 50 ms, the simulator 15.
        if entry.provider == "simulator":
            from meanwhile.providers.simulator import Simulator

            return Simulator(entry.tokens_per_second, self.sleep, self.clock)
        from meanwhile.providers.chat_completions import ChatCompletions

        return ChatCompletions(
            base_url=self.settings.model_base_url,
            api_key=self.settings.model_api_key,
            entry=entry,
            count_text=partial(self.count, entry.encoding),
            first_token_seconds=entry.first_token_seconds or self.settings.first_token_seconds,
            gap_seconds=entry.gap_seconds or self.settings.gap_seconds,
        )
