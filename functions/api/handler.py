"""Answers HTTP requests that are answered at once. Trigger: API Gateway."""

from typing import Any

from mangum import Mangum

from meanwhile.observability import invocation_logged
from meanwhile.web.app import app

_answer = Mangum(app, lifespan="off")


@invocation_logged
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request; the gateway has taken the stage off its path."""
    return _answer(event, context)
