"""The service as a client of it sees it, with a stack of its own on this machine."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from infra.local.client import LocalStack
from meanwhile.providers.simulation.prose import prose

TOKENS_PER_SECOND = 80
"""The speed of the model `simulator`."""

PROMPT_BYTES = 1024
WORKER, STREAM, API = "WorkerFunction", "StreamFunction", "ApiFunction"
EVENT_SOURCE = "event-source"
"""What polls the queue for the worker; on AWS that is Lambda's own, and free."""

_KEY = "sk-local-bench"
_EVENT = "data: "
_STARTUP_SECONDS = 30


class NotInTime(Exception):
    """What a benchmark waited for did not come; the numbers would mean nothing."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running stack and a client that keeps its connection."""

    stack: LocalStack
    http: httpx.Client

    def create(self, tokens: int, *, model: str = "simulator", key: str | None = None) -> str:
        """Ask for so many tokens in the background, with a prompt of 1 kB; return the response's id."""
        keyed = {"idempotency-key": key} if key else {}
        answer = self.http.post("/responses", json=body(tokens, model=model), headers=keyed)
        return str(answer.raise_for_status().json()["id"])

    def watch(self, tokens: int, *, model: str = "simulator") -> str:
        """Ask for so many tokens as a stream and read it to its end; return the response's id."""
        asked = body(tokens, model=model) | {"stream": True}
        with self.http.stream("POST", "/responses", json=asked) as answer:
            events = [line for line in answer.raise_for_status().iter_lines() if line.startswith(_EVENT)]
        return str(json.loads(events[0].removeprefix(_EVENT))["response"]["id"])

    def get(self, response_id: str) -> dict[str, Any]:
        """Poll once."""
        found: dict[str, Any] = self.http.get(f"/responses/{response_id}").raise_for_status().json()
        return found

    def cancel(self, response_id: str) -> None:
        """Cancel."""
        self.http.post(f"/responses/{response_id}/cancel").raise_for_status()

    def pid(self, function: str) -> int:
        """Return the one process of a function that runs now."""
        (pid,) = (process["pid"] for process in self.stack.processes() if process["name"] == function)
        return int(pid)

    def until_idle(self, messages: int, *, seconds: float) -> None:
        """Wait until so many messages were worked on and no worker runs. Makes no AWS calls.

        Raises:
            NotInTime: It took longer than a worker may need for an answer of `seconds`.
        """

        def is_idle() -> bool:
            worker = self.stack.invocations()[WORKER]
            return bool(worker["messages"] >= messages and not worker["running"])

        until(is_idle, seconds=seconds + _STARTUP_SECONDS)


@contextmanager
def serving(*, executions: int | None = None, model_url: str = "", **settings: float) -> Iterator[Service]:
    """Run a stack of the template as it is, but for these settings and so many workers at once."""
    environment = {name.upper(): f"{value:g}" for name, value in settings.items()}
    if model_url:
        environment["MODEL_BASE_URL"] = model_url
    with (
        LocalStack(environment=environment, max_concurrency=executions) as stack,
        httpx.Client(base_url=stack.url, headers=headers(), timeout=60, trust_env=False) as http,
    ):
        yield Service(stack, http)


def headers() -> Mapping[str, str]:
    """Return what tells the service who calls."""
    return {"authorization": f"Bearer {_KEY}"}


def body(tokens: int, *, model: str) -> dict[str, Any]:
    """Return a create call whose prompt is 1 kB of text about nothing."""
    wish = f"Write {tokens} tokens. "
    filler = "".join(prose(PROMPT_BYTES // 4, b"bench"))
    return {"model": model, "background": True, "input": (wish + filler)[:PROMPT_BYTES]}


def until(is_so: Callable[[], bool], *, seconds: float, every: float = 0.1) -> None:
    """Look again and again.

    Raises:
        NotInTime: It was never so.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise NotInTime(f"waited {seconds:.0f} seconds")
        time.sleep(every)
