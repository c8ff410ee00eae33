"""Files in an input: text, which every model is shown as text, and PDFs, which go to models that read them.

A file comes whole, as base64 in a data URL, and is stored and echoed as it came: what a model is shown of it
is made here, each time. Nothing in it is parsed, and nothing is decompressed.

    media type                           what it is taken for
    ----------                           --------------------
    text/*                               text: Markdown, CSV, HTML, source code, ...
    in `TEXTS`, or +json, +xml, +yaml    text: JSON, YAML, TOML, JavaScript, SQL, SVG, ...
    application/pdf                      a PDF, if it begins like one
    anything else                        nothing; it is refused
"""

import binascii
import json
from collections.abc import Mapping
from typing import Any

INPUT_FILE = "input_file"
PDF = "application/pdf"

TEXTS = frozenset(
    f"application/{name}"
    for kind in (
        "csv ecmascript graphql javascript json jsonl ndjson sql toml typescript xml yaml",
        "x-csv x-httpd-php x-javascript x-jsonlines x-latex x-ndjson x-python x-sh x-sql x-tex x-toml",
        "x-typescript x-yaml",
    )
    for name in kind.split()
)
"""Media types of text that is not under `text/`; with and without the `x-` they had before."""
_SUFFIXES = ("+json", "+xml", "+yaml")
_ENCODINGS = {"utf-8", "utf8", "us-ascii", "ascii"}

TAKEN = (
    "text in UTF-8 (text/*, application/json, xml, yaml, toml, csv, javascript, sql and their like) "
    "and application/pdf"
)
"""What is taken, for errors and documents."""

MAX_CHARACTERS = 4_300_000
"""Of a data URL, which is a file of 3.2 MB: what there is room for in the body of a call."""
MAX_NAME = 255
"""Characters of a file's name."""

_LONGEST_HEAD = 256
"""Characters before a data URL's data."""
_LONGEST_PREFACE = 1_024
"""Bytes in which a PDF has to say that it is one: what readers of PDF look through."""


def refusal_of(url: str) -> str | None:
    """Return why no model could be shown the file in a data URL, in words that hold nothing of it, if so."""
    head = _head(url)
    if not head.startswith("data:") or not head.endswith(";base64"):
        return "Expected a data URL: 'data:<media type>;base64,<data>'."
    kind = _kind(head)
    if kind != PDF and not _is_text(kind):
        return f"Files of this type are not taken. Taken are {TAKEN}."
    try:
        data = _bytes(url)
    except ValueError:
        return "Its data is not base64, padded and without white space."
    if kind == PDF:
        return None if b"%PDF-" in data[:_LONGEST_PREFACE] else "Its data is not a PDF."
    return None if _says_utf8(head) and _is_utf8(data) else "Its data is not text in UTF-8."


def is_pdf(part: Mapping[str, Any]) -> bool:
    """Whether a part of an item is a PDF: what no model is shown as text."""
    return part.get("type") == INPUT_FILE and _kind(_head(part["file_data"])) == PDF


def bytes_of(part: Mapping[str, Any]) -> bytes:
    """Return what is in a file."""
    return _bytes(part["file_data"])


def is_seen(part: Mapping[str, Any]) -> bool:
    """Whether a part is what a model is to see, and does not read as text: an image, or a PDF."""
    return part.get("type") == "input_image" or is_pdf(part)


def words_of(part: Mapping[str, Any]) -> str | None:
    """Return what a model reads of a part as text; `None` for what it is to see. Files have their name."""
    if is_seen(part):
        return None
    if part.get("type") == INPUT_FILE:
        return _shown(part)
    return str(part.get("text") or part.get("refusal") or "")


def text_of(part: Mapping[str, Any]) -> str:
    """Return what is in a text file."""
    return bytes_of(part).decode("utf-8-sig")


def named(part: Mapping[str, Any]) -> str:
    """Return a file's name as text shows it."""
    return json.dumps(part["filename"], ensure_ascii=False)


def _shown(part: Mapping[str, Any]) -> str:
    """Say where the file begins and ends: there may be several, and words of the user's beside them."""
    return f"<file name={named(part)}>\n{text_of(part)}\n</file>"


def _head(url: str) -> str:
    """Return what stands before the data, in lower case; nothing if there is no data."""
    head, comma, _ = url[:_LONGEST_HEAD].partition(",")
    return head.lower() if comma else ""


def _kind(head: str) -> str:
    return head.removeprefix("data:").partition(";")[0].strip()


def _bytes(url: str) -> bytes:
    return binascii.a2b_base64(url[url.index(",") + 1 :], strict_mode=True)


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or kind in TEXTS or kind.endswith(_SUFFIXES)


def _says_utf8(head: str) -> bool:
    """Whether it names no other encoding, in which the same bytes would be other words."""
    said = [each.partition("=") for each in head.split(";")[1:-1]]
    return all(value.strip('" ') in _ENCODINGS for name, _, value in said if name.strip() == "charset")


def _is_utf8(data: bytes) -> bool:
    """Whether it is text; NUL is in no text, and is refused in all others, too."""
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
