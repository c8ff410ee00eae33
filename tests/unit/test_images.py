"""The size of an image, told from its first bytes, and what it costs."""

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanwhile.images import size_of
from meanwhile.tokens import IMAGE, TILE, UNKNOWN_IMAGE, Tokens, of_image


def png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


def jpeg(width: int, height: int, *, before: int = 0, marker: int = 0xC0) -> bytes:
    """Return the beginning of a JPEG, with so many bytes of previews and profiles."""
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", 2 + size) + bytes(size)
        for size in [min(65_000, before - at) for at in range(0, before, 65_000)]
    )
    tables = b"\xff\xc4" + struct.pack(">H", 4) + b"\0\0"
    frame = struct.pack(">BBHBHH", 0xFF, marker, 17, 8, height, width)
    return b"\xff\xd8" + segments + tables + b"\xff" + frame


def webp(kind: bytes, data: bytes) -> bytes:
    """Return the beginning of a WebP."""
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + data


def url_of(data: bytes, kind: str = "png") -> str:
    """Return a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


SIZES = {
    "png": (png(640, 480), (640, 480)),
    "gif": (b"GIF89a" + struct.pack("<HH", 640, 480), (640, 480)),
    "older gif": (b"GIF87a" + struct.pack("<HH", 640, 480), (640, 480)),
    "jpeg": (jpeg(640, 480), (640, 480)),
    "progressive jpeg": (jpeg(640, 480, marker=0xC2), (640, 480)),
    "jpeg after a preview": (jpeg(640, 480, before=150_000), (640, 480)),
    "webp, lossy": (webp(b"VP8 ", bytes(6) + struct.pack("<HH", 640 | 0x4000, 480)), (640, 480)),
    "webp, lossless": (webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)), (640, 480)),
    "webp, extended": (webp(b"VP8X", bytes(4) + b"\x7f\x02\x00" + b"\xdf\x01\x00"), (640, 480)),
    "jpeg after very much": (jpeg(640, 480, before=400_000), None),
    "a bitmap": (b"BM" + bytes(60), None),
    "a png of nothing": (png(0, 480), None),
    "half a png": (png(640, 480)[:20], None),
    "half a jpeg": (jpeg(640, 480)[:12], None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("kind", SIZES)
def test_the_size_of_an_image_is_in_its_first_bytes(kind: str) -> None:
    """Decoding it would need a library, and memory that a caller could choose."""
    data, size = SIZES[kind]

    assert size_of(url_of(data + (bytes(99) if size else b""))) == size


@pytest.mark.parametrize(
    "data",
    [
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
    ],
)
def test_real_images_are_read(data: str) -> None:
    """One pixel each, as many pages on the web carry them."""
    assert size_of(f"data:image/any;base64,{data}") == (1, 1)
    assert size_of(f"data:image/any;base64,{data[:30]}\r\n {data[30:]}") == (1, 1)


@settings(max_examples=300)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8", b"\xff\xd8\xff", b"RIFF", *(data for data, _ in SIZES.values())]
    ),
    cut=st.integers(0, 40),
    junk=st.binary(max_size=60),
)
def test_any_bytes_have_a_size_or_none(start: bytes, cut: int, junk: bytes) -> None:
    """Whatever calls itself an image."""
    size = size_of(url_of(start[:cut] + junk))

    assert size is None or min(size) > 0


@given(st.text(max_size=50))
def test_any_url_has_a_size_or_none(text: str) -> None:
    """Base64 that is none, addresses, nothing at all."""
    for url in (text, f"data:image/png;base64,{text}", f"data:{text},{text}"):
        assert size_of(url) is None or url.startswith("data:")


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [(1024, 1024, 4), (2048, 4096, 6), (4096, 2048, 6), (512, 512, 1), (513, 512, 2), (1, 1, 1),
     (2048, 768, 8), (100_000, 1, 4), (2**31, 2**31, 4)],
)  # fmt: skip
def test_an_image_costs_its_tiles(width: int, height: int, tiles: int) -> None:
    """The rule of OpenAI's vision guide, and its examples (765 and 1,105 tokens)."""
    url = url_of(png(width, height))

    assert of_image({"image_url": url, "detail": "high"}) == IMAGE + TILE * tiles
    assert of_image({"image_url": url, "detail": "auto"}) == IMAGE + TILE * tiles
    assert of_image({"image_url": url, "detail": "low"}) == IMAGE


@settings(max_examples=300)
@given(width=st.integers(1, 2**31), height=st.integers(1, 2**31))
def test_an_unknown_image_costs_as_much_as_any(width: int, height: int) -> None:
    """An estimate too low would overfill the window."""
    assert of_image({"image_url": url_of(png(width, height))}) <= UNKNOWN_IMAGE
    assert of_image({"image_url": "https://example.com/x.png"}) == UNKNOWN_IMAGE


def test_an_image_is_not_counted_as_text() -> None:
    """Its base64 would be a hundred thousand tokens; wherever it stands."""
    part = {"type": "input_image", "image_url": url_of(png(512, 512) + bytes(300_000)), "detail": "high"}
    shown = {"type": "message", "role": "user", "content": [part]}
    returned = {"type": "function_call_output", "call_id": "c", "output": [part]}

    assert Tokens(len).of_item(shown) == 3 + len("user") + IMAGE + TILE
    assert Tokens(len).of_item(returned) == 3 + IMAGE + TILE
