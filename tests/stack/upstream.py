"""A model provider beside the stack. Every test asks for models of its own, so no script is another's."""

import threading
import uuid
from types import TracebackType
from typing import Self

from tests.fake_provider import Exchange, FakeProvider, Json, Script, says


class Upstream:
    """What MODEL_BASE_URL points at, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._scripts: dict[str, list[Script]] = {}
        self._lock = threading.Lock()
        self._server = FakeProvider(default=self._next)
        self.base_url = self._server.base_url

    def model(self, *scripts: Script, kind: str = "fake") -> str:
        """Return a new model that answers its first request with the first script, and so on."""
        name = f"{kind}-{uuid.uuid4().hex[:12]}"
        with self._lock:
            self._scripts[name] = list(scripts)
        return name

    def asked(self, model: str) -> list[Exchange]:
        """Return the requests that were made of a model, in order."""
        return [exchange for exchange in list(self._server.exchanges) if exchange.body["model"] == model]

    def _next(self, body: Json) -> Script:
        with self._lock:
            left = self._scripts.get(body["model"])
            if not left:
                return says("Nothing was scripted.")
            return left.pop(0) if len(left) > 1 else left[0]

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)
