"""The scan for plaintext finds what was planted: one that finds nothing anywhere proves nothing."""

import base64
import gzip
import json
import os
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.support.canaries import Canaries, leaves, scan

SHAPES: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "capitals": lambda said: said.upper().encode(),
    "utf-16, little end first": lambda said: said.encode("utf-16-le"),
    "utf-16, big end first": lambda said: said.encode("utf-16-be"),
    "base64": lambda said: base64.b64encode(said.encode()),
    "base64, one byte on": lambda said: base64.b64encode(b"x" + said.encode()),
    "base64, two bytes on": lambda said: base64.b64encode(b"xy" + said.encode()),
    "base64 behind a word": lambda said: b"key" + base64.b64encode(said.encode()),
    "base64 for urls": lambda said: base64.urlsafe_b64encode(b"\xff\xfe" + said.encode()),
    "base64, unpadded": lambda said: base64.b64encode(b"xy" + said.encode()).rstrip(b"="),
    "hex": lambda said: said.encode().hex().encode(),
    "hex in capitals": lambda said: said.encode().hex().upper().encode(),
    "url": lambda said: quote(f"ö&{said}").encode(),
    "url, every byte": lambda said: "".join(f"%{byte:02X}" for byte in said.encode()).encode(),
    "json": lambda said: json.dumps({"a": [f"ö“{said}"]}).encode(),
    "json, every letter": lambda said: "".join(f"\\u{ord(letter):04x}" for letter in said).encode(),
    "deflated": lambda said: zlib.compress(f"before {said} after".encode()),
    "gzip": lambda said: gzip.compress(said.encode()),
    "payload": lambda said: b"\x01" + zlib.compress(json.dumps([said]).encode()),
    "cut short while deflated": lambda said: zlib.compress(said.encode() + os.urandom(4000))[:-900],
    "deflated in base64 in json": lambda said: json.dumps(
        {"body": base64.b64encode(zlib.compress(said.encode())).decode()}
    ).encode(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_planted_word_is_found_in_every_shape(shape: str) -> None:
    """Alone, and with other bytes around it."""
    canaries = Canaries()
    planted = SHAPES[shape](canaries("input"))

    for around in (planted, b" {%s} " % planted, b"\x00\x80" + planted + b"\x80"):
        assert {(each.field, each.where) for each in scan([("here", around)], canaries.words)} == {
            ("input", "here")
        }


def test_nothing_is_found_where_nothing_is() -> None:
    """Random bytes, and the words of another run."""
    ours, theirs = Canaries(), Canaries()
    ours("input")

    places = [("random", os.urandom(20_000)), ("other", theirs("input").encode())]

    assert scan(places, ours.words) == []


def test_every_corner_of_an_answer_is_looked_at() -> None:
    """Names, numbers, sets, nested maps and binary values."""
    canaries = Canaries()
    name, text, binary, member = (canaries(field) for field in ("name", "text", "binary", "member"))
    answer = {
        "Items": [{name: {"M": {"a": {"S": text}, "b": {"B": binary.encode()}}}, "c": {"SS": {member}}}]
    }

    found = scan(leaves(answer, "table"), canaries.words)

    assert {each.field for each in found} == {"name", "text", "binary", "member"}
