"""What several tests of the stack say to the service, and what they expect of its answers."""

from collections.abc import Callable
from typing import Any

from openai import OpenAI
from openai.types.responses import Response, ResponseOutputMessage

from meanwhile.domain.request import Request
from meanwhile.providers.simulator import text_of
from tests.support.waiting import eventually

_RUNNING = {"queued", "in_progress"}


def ask(sdk: OpenAI, question: str, *, model: str = "simulator-fast", **more: Any) -> Response:
    """Create a background response."""
    made: Response = sdk.responses.create(model=model, input=question, background=True, **more)
    return made


def ended(sdk: OpenAI, response_id: str, *, within: float = 20) -> Response:
    """Poll until a response has ended."""
    return when(sdk, response_id, lambda found: found.status not in _RUNNING, within=within)


def speaking(sdk: OpenAI, response_id: str, *, within: float = 10) -> Response:
    """Poll until a running response has some text."""
    found = when(sdk, response_id, lambda found: bool(found.output_text), within=within)
    assert found.status == "in_progress"
    return found


def when(sdk: OpenAI, response_id: str, is_so: Callable[[Response], bool], *, within: float = 20) -> Response:
    """Poll until something is so; return the response of that moment."""

    def look() -> Response | None:
        found = sdk.responses.retrieve(response_id)
        return found if is_so(found) else None

    found = eventually(look, within=within)
    assert found is not None
    return found


def simulated(question: str) -> str:
    """Return the exact answer of the simulator."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": question}]}
    return text_of(Request(model="simulator", input=[message]))


def error_of(response: Response) -> dict[str, object]:
    """Return the error of a response that failed."""
    assert response.status == "failed"
    assert response.error is not None
    return response.error.to_dict()


def texts(response: Response) -> list[str]:
    """Return the text of every message; an item that was given up has none."""
    messages = [item for item in response.output if isinstance(item, ResponseOutputMessage)]
    return ["".join(part.text for part in item.content if part.type == "output_text") for item in messages]


def statuses(response: Response) -> list[str | None]:
    """Return the status of every output item."""
    return [getattr(item, "status", None) for item in response.output]
