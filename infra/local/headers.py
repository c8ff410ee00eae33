"""Headers of a request as the gateway hands them on, and those of an answer that are its own to set.

They are bytes on the wire and stay what they were: each byte is one character here (latin-1).
"""

from collections.abc import Iterable
from typing import Any

Headers = list[tuple[str, str]]

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
}
OWN = _HOP_BY_HOP | {"date", "server"}
"""Headers of an answer that are the gateway's to set."""


def request_headers(scope: Any) -> Headers:
    """Return what came, without what was meant for the gateway, and with what it adds."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    kept = [
        (name, value) for name, value in headers if name not in _HOP_BY_HOP and not name.startswith("x-amzn-")
    ]
    client = (scope.get("client") or ("127.0.0.1",))[0]
    return [
        *kept,
        ("x-forwarded-for", client),
        ("x-forwarded-port", str(scope["server"][1])),
        ("x-forwarded-proto", "http"),
    ]


def encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers as they go on the wire; httpx would take only ASCII for a text."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
