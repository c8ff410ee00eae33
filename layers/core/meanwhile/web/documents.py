"""What routes say about themselves in the OpenAPI document; the schemas they name are in `openapi.py`."""

from typing import Any

from meanwhile.web.attempts import KEY_PATTERN, REPLAYED
from meanwhile.web.etags import ETAG_PATTERN

Documented = dict[int | str, dict[str, Any]]


def schema(name: str) -> dict[str, Any]:
    """Return JSON content of a named schema."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def takes(name: str, *, required: bool = True) -> dict[str, Any]:
    """Document a JSON body."""
    return {"requestBody": {"required": required, "content": schema(name)}}


def headers(**described: tuple[str, str]) -> dict[str, Any]:
    """Document headers that a route reads by itself: what each is for, and its pattern."""
    return {
        "parameters": [
            {
                "name": name.replace("_", "-"),
                "in": "header",
                "description": description,
                "schema": {"type": "string", "pattern": pattern},
            }
            for name, (description, pattern) in described.items()
        ]
    }


def with_headers(*documented: dict[str, Any]) -> dict[str, Any]:
    """Document all of these headers."""
    return {"parameters": [each for some in documented for each in some["parameters"]]}


IDEMPOTENT = headers(
    Idempotency_Key=(
        "Sent again with the same body, it gets the same answer; with another, a 400.",
        f"^{KEY_PATTERN}$",
    )
)
"""Documents the header by which a call is known when it comes again."""

FOR_A_VERSION = headers(
    If_Match=("The ETag that the change is for; another there is a 412.", f"^({ETAG_PATTERN}|[*])$")
)
UNLESS_KNOWN = headers(
    If_None_Match=("The ETag that is known; the same there is a 304.", f"^({ETAG_PATTERN}|[*])$")
)


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
    name: str,
    *,
    poll_after: bool = False,
    replayed: bool = False,
    streams: bool = False,
    versioned: bool = False,
) -> Documented:
    """Document the answer when all went well."""
    sent = dict(_REQUEST_ID)
    if poll_after:
        sent["openai-poll-after-ms"] = _header("When to ask again, while the response runs.")
    if replayed:
        sent[REPLAYED] = _header("`true` if an earlier call has made all of this.")
    if versioned:
        sent["etag"] = _header("The version, for `If-Match` and `If-None-Match`.")
    content = schema(name) | (_EVENTS if streams else {})
    return {200: {"description": "Done.", "headers": sent, "content": content}}


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

NOT_MODIFIED: Documented = {
    304: {"description": "It is as it was.", "headers": _REQUEST_ID | {"etag": _header("The version.")}}
}
CHANGED_SINCE: Documented = {412: _failure("It is at another version: read it again, then change it.")}
