"""Polling one response to its end, the news going to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.cli.errors import TemporarilyFailed
from meanwhile.cli.news import RUNNING, Reader
from meanwhile.cli.screens import Screen
from meanwhile.cli.service import Json, Look, Service

_POLL_SECONDS = 2.0
"""When the service has no wish of its own."""
_FOR_EYES = 0.25
"""Whoever watches text grow asks four times as often as the service suggests: slower when it says slower."""
_SHORTEST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.5, 60.0
_PATIENCE_SECONDS = 60.0
"""How long a service that does not answer is asked again, once it has answered."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Polls a response until it has ended. An outage of a minute goes unnoticed."""

    service: Service
    screen: Screen
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]

    def __call__(self, response_id: str, *, accepted: Json | None = None) -> Json:
        """Return the response that has ended; `accepted` is what is known of it already.

        Raises:
            CommandFailed: It cannot be read, or could for a while and then no more.
        """
        reader, answered_at = Reader(), None
        if accepted:
            answered_at = self.monotonic()
            self._tell(reader, accepted, first=True)
        while True:
            try:
                look = self.service.look(response_id)
            except TemporarilyFailed:
                if answered_at is None or self.monotonic() > answered_at + _PATIENCE_SECONDS:
                    raise
                self.sleep(_POLL_SECONDS)
                continue
            self._tell(reader, look.response, first=answered_at is None)
            answered_at = self.monotonic()
            if look.response["status"] not in RUNNING:
                return look.response
            self.sleep(self._pause(look))

    def _tell(self, reader: Reader, response: Json, *, first: bool) -> None:
        if first:
            self.screen.begin(response)
        for each in reader.read(response):
            self.screen.show(each)

    def _pause(self, look: Look) -> float:
        wish = _POLL_SECONDS if look.poll_after_seconds is None else look.poll_after_seconds
        wish *= _FOR_EYES if self.screen.for_eyes else 1
        return min(max(wish, _SHORTEST_POLL_SECONDS), _LONGEST_POLL_SECONDS)
