"""What routes say about themselves in the OpenAPI document; the schemas they name are in `openapi.py`."""

from typing import Any

from meanwhile.domain.attempt import IDEMPOTENCY_KEY
from meanwhile.web.attempts import KEY_PATTERN, REPLAYED

Documented = dict[int | str, dict[str, Any]]


def schema(name: str) -> dict[str, Any]:
    """Return JSON content of a named schema."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def takes(name: str) -> dict[str, Any]:
    """Document a JSON body."""
    return {"requestBody": {"required": True, "content": schema(name)}}


IDEMPOTENT: dict[str, Any] = {
    "parameters": [
        {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "description": "Sent again with the same body, it gets the same response; with another, a 400.",
            "schema": {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
        }
    ]
}
"""Documents the header by which a call is known when it comes again."""


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_REQUEST_ID = {"x-request-id": _header("Names this request in the logs.")}


_EVENTS = {
    "text/event-stream": {
        "schema": {
            "description": "With `stream`: each event, numbered by `sequence_number`, then `[DONE]`.",
            "type": "object",
            "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
            "required": ["data"],
        }
    }
}


def returns(
    name: str, *, poll_after: bool = False, replayed: bool = False, streams: bool = False
) -> Documented:
    """Document the answer when all went well."""
    headers = dict(_REQUEST_ID)
    if poll_after:
        headers["openai-poll-after-ms"] = _header("When to ask again, while the response runs.")
    if replayed:
        headers[REPLAYED] = _header("`true` if an earlier call has made this response.")
    content = schema(name) | (_EVENTS if streams else {})
    return {200: {"description": "Done.", "headers": headers, "content": content}}


def _failure(description: str, **headers: str) -> dict[str, Any]:
    said = {name.replace("_", "-"): _header(text) for name, text in headers.items()}
    return {"description": description, "headers": _REQUEST_ID | said, "content": schema("Failure")}


FAILURES: Documented = {
    400: _failure("A parameter is wrong; `param` names it."),
    401: _failure("No API key, or one that nobody knows.", www_authenticate="Always `Bearer`."),
    403: _failure("The key may not do that, or its owner was deleted."),
    404: _failure("Not there, or not yours."),
    413: _failure("The body is too large."),
    500: _failure("A mistake of ours.", x_should_retry="`false` if a retry could have its effect twice."),
    503: _failure(
        "A part of the service did not answer.",
        retry_after="Seconds.",
        x_should_retry="`false` if a retry could have its effect twice.",
    ),
}
