"""Answers compressed as API Gateway does it: its own `MinimumCompressionSize`, on buffered routes only.

"Receive an API response with a compressed payload" in the developer guide: the client must name the coding,
the answer must have none yet, and be at least so large. Streamed answers are never compressed.
"""

import gzip
from collections.abc import Mapping

_CODING = "gzip"


def compressed(
    headers: list[tuple[str, str]], body: bytes, *, asked: Mapping[str, str], minimum: int | None
) -> tuple[list[tuple[str, str]], bytes]:
    """Return an answer's headers and body, compressed if its API and its client both want that."""
    has_coding = any(name.lower() == "content-encoding" for name, _ in headers)
    if minimum is None or len(body) < minimum or has_coding or not _accepts(asked.get("accept-encoding", "")):
        return headers, body
    return [*headers, ("content-encoding", _CODING)], gzip.compress(body, mtime=0)


def _accepts(codings: str) -> bool:
    """Tell whether gzip is named, and not with a weight of nothing."""
    for coding in codings.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() == _CODING:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
