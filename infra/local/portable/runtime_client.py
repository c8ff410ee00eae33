"""awslambdaric's native half in plain Python, for systems where it does not build it (all but Linux).

It goes on a function's import path only where the real one is missing. Standard library only.
"""

import http.client
import os

_HEADERS = (
    "Lambda-Runtime-Aws-Request-Id",
    "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Invoked-Function-Arn",
    "Lambda-Runtime-Deadline-Ms",
    "Content-Type",
)
_BASE = "/2018-06-01/runtime/invocation"


def initialize_client(user_agent: str) -> None:
    """Accept what the native client would send as its name; nobody looks at it here."""


def next() -> tuple[bytes, dict[str, str | None]]:  # noqa: A001 - the name that awslambdaric calls
    """Wait for the next event; return it with the headers that describe it."""
    response, body = _asked("GET", f"{_BASE}/next")
    return body, {name: response.getheader(name) for name in _HEADERS}


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, _: str | None = None) -> None:
    """Tell what the handler returned."""
    _asked("POST", f"{_BASE}/{invoke_id}/response", result, {"Content-Type": content_type})


def post_error(invoke_id: str, error: str, _xray_fault: str, _: str | None = None) -> None:
    """Tell what the handler raised."""
    _asked("POST", f"{_BASE}/{invoke_id}/error", error.encode(), {"Content-Type": "application/json"})


def _asked(
    method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]  # noqa: TID251 - set by Lambda's contract, not a setting
    connection = http.client.HTTPConnection(address)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()
