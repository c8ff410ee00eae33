"""Words that must be found nowhere, and a scan that finds them in any of the shapes that bytes take."""

import base64
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

_DEPTH = 3
"""Shapes inside shapes: a deflated text in Base64 in JSON."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
_ESCAPED = re.compile(rb"\\u([0-9A-Fa-f]{4})")
_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")


class Canaries:
    """Makes words that occur nowhere else, and remembers them."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
        """What each was put into, by word."""

    def __call__(self, field: str) -> str:
        """Return a new word for a field; letters and digits only, so that it may be a name, too."""
        word = f"kanari{secrets.token_hex(6)}"
        self.words[word] = field
        return word


@dataclass(frozen=True, slots=True)
class Finding:
    """A canary where it must not be."""

    field: str
    where: str
    shape: str


def scan(places: Iterable[tuple[str, bytes]], canaries: Mapping[str, str]) -> list[Finding]:
    """Return every canary found; `places` are named bytes."""
    pattern = re.compile(b"|".join(re.escape(word.encode()) for word in canaries), re.IGNORECASE)
    return sorted(
        {
            Finding(canaries[word.decode().lower()], where, shape)
            for where, data in places
            for shape, shown in _shapes(data)
            for word in pattern.findall(shown)
        },
        key=lambda found: (found.where, found.field, found.shape),
    )


def leaves(value: Any, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield every name and value inside of an answer of AWS, as bytes."""
    match value:
        case Mapping():
            for name, inner in value.items():
                yield f"{where}: a name", str(name).encode()
                yield from leaves(inner, f"{where}.{name}")
        case list() | tuple() | set():
            for inner in value:
                yield from leaves(inner, where)
        case bytes() | bytearray():
            yield where, bytes(value)
        case _:
            yield where, str(value).encode(errors="surrogatepass")


def _shapes(data: bytes, depth: int = _DEPTH, shape: str = "plain") -> Iterator[tuple[str, bytes]]:
    """Yield the bytes as they are, and what they are another writing of."""
    yield shape, data
    if depth == 0:
        return
    for name, inner in _readings(data):
        if inner != data:
            yield from _shapes(inner, depth - 1, f"{shape}, {name}" if shape != "plain" else name)


def _readings(data: bytes) -> Iterator[tuple[str, bytes]]:
    if b"\0" in data:
        yield "utf-16", data.replace(b"\0", b"")
    if b"%" in data:
        yield "url", unquote_to_bytes(data)
    if b"\\u" in data:
        yield "json", _ESCAPED.sub(lambda found: chr(int(found[1], 16)).encode(errors="replace"), data)
    for run in _HEX.findall(data):
        yield "hex", bytes.fromhex(run.decode())
    for run in _BASE64.findall(data):
        for start in range(4):
            aligned = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            yield "base64", base64.b64decode(aligned[: len(aligned) // 4 * 4])
            if len(aligned) % 4 > 1:
                yield "base64", base64.b64decode(aligned + b"=" * (-len(aligned) % 4))
    for found in _DEFLATED.finditer(data):
        inflater = zlib.decompressobj(wbits=47)  # zlib or gzip, whichever the header says
        try:
            yield "deflated", inflater.decompress(data[found.start() :], 10_000_000)
        except zlib.error:
            continue
