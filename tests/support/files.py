"""Files as callers send them."""

import base64
from typing import Any


def url_of(data: bytes, kind: str) -> str:
    """Return a data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def file_of(data: bytes | str, name: str = "notes.md", kind: str = "text/markdown") -> dict[str, Any]:
    """Return the part for a file."""
    raw = data.encode() if isinstance(data, str) else data
    return {"type": "input_file", "filename": name, "file_data": url_of(raw, kind)}


def pdf_of(pages: int, *, size: int = 0) -> bytes:
    """Return what passes for a PDF with so many pages, and so many bytes beside them."""
    tree = b"1 0 obj <</Type /Pages /Count %d>> endobj\n" % pages
    each = b"".join(b"%d 0 obj <</Type /Page /Parent 1 0 R>> endobj\n" % (at + 2) for at in range(pages))
    return b"%PDF-1.4\n" + tree + each + b"\0" * size + b"%%EOF"


PDF = file_of(pdf_of(2), "report.pdf", "application/pdf")
