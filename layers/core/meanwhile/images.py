"""How large an image is, read from the first bytes of its data URL. No image is decoded."""

import binascii
import struct
from collections.abc import Callable

Size = tuple[int, int]
"""Width and height, in pixels."""

_MOST_CHARACTERS = 4 * 64 * 1024
"""Of base64. A JPEG may say its size only after a preview and a colour profile."""


def size_of(url: str) -> Size | None:
    """Return the size of the PNG, JPEG, GIF or WebP in a data URL, or None if that cannot be told."""
    head, comma, data = url[: _MOST_CHARACTERS + 128].partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        return None
    text = "".join(data.split())
    try:
        start = binascii.a2b_base64(text[: len(text) // 4 * 4])
    except ValueError:  # not base64, or not ASCII
        return None
    try:
        size = next((read(start) for signature, read in _READERS if start.startswith(signature)), None)
    except (struct.error, IndexError):  # it ends early
        return None
    return size if size and min(size) > 0 else None


def _png(data: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _gif(data: bytes) -> Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp(data: bytes) -> Size | None:
    kind = data[8:16]
    if kind == b"WEBPVP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"WEBPVP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _jpeg(data: bytes) -> Size | None:
    """Walk from segment to segment until the one that starts the frame."""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
    return None


_READERS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"RIFF", _webp),
)
