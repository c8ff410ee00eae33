"""Files: which are taken, and what a model is shown of them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.files import TEXTS, is_pdf, refusal_of, words_of
from tests.support.files import PDF, file_of, pdf_of, url_of

PRIVATE = "the user's words"

TAKEN = [
    "text/plain", "text/markdown", "text/csv", "text/html", "text/x-python", "text/javascript",
    "application/json", "application/ld+json", "application/xml", "image/svg+xml", "application/yaml",
    "application/x-yaml", "application/openapi+yaml", "application/toml", "application/csv",
    "application/javascript", "application/x-ndjson", "application/sql",
    "Text/Plain", "text/plain;charset=utf-8", 'text/plain; charset="UTF-8"', "text/plain;charset=us-ascii",
    "text/plain;name=a;charset=utf-8",
]  # fmt: skip
REFUSED = [
    "application/octet-stream", "application/zip", "application/msword", "application/rtf", "image/png",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "audio/wav", "", "text",
    "application/epub+zip", "json", "application/pdfs",
]  # fmt: skip


@pytest.mark.parametrize("kind", TAKEN)
def test_text_of_many_kinds_is_text(kind: str) -> None:
    """A model reads source code and tables as it reads prose."""
    part = file_of("a: 1", kind=kind)

    assert refusal_of(part["file_data"]) is None
    assert not is_pdf(part)
    assert words_of(part) == '<file name="notes.md">\na: 1\n</file>'


@pytest.mark.parametrize("kind", REFUSED)
def test_other_kinds_are_refused_with_those_that_are_taken(kind: str) -> None:
    """Guessing would show a model the bytes of an archive."""
    refusal = refusal_of(url_of(b"a: 1", kind)) or ""

    assert "text/*" in refusal
    assert "application/pdf" in refusal


def test_types_are_written_as_they_are_compared() -> None:
    """In lower case; one that is not would never be met."""
    assert TEXTS
    assert all(kind == kind.lower() and kind.startswith("application/") for kind in TEXTS)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (PRIVATE, "data URL"),
        ("https://example.com/a.pdf", "data URL"),
        ("data:text/plain,hello", "data URL"),
        ("data:text/plain;base64", "data URL"),
        ("data:text/plain;base64;,aGk=", "data URL"),
        (f"data:text/plain;x={'y' * 300};base64,aGk=", "data URL"),
        ("aGVsbG8=", "data URL"),
        ("data:text/plain;base64,aGk", "base64"),
        ("data:text/plain;base64,aGk=x", "base64"),
        ("data:text/plain;base64,aG k=", "base64"),
        ("data:text/plain;base64,aGk=\n", "base64"),
        ("data:text/plain;base64,aG-_", "base64"),
        ("data:text/plain;base64,å===", "base64"),
        ("data:text/plain;base64,%61Gk=", "base64"),
        (url_of(b"\xff\xfeh\0i\0", "text/plain"), "UTF-8"),
        (url_of("Müller".encode("latin-1"), "text/plain"), "UTF-8"),
        (url_of(b"a\0b", "text/plain"), "UTF-8"),
        (url_of(b"\xed\xa0\x80", "text/plain"), "UTF-8"),
        (url_of(b"hello", "text/plain;charset=utf-7"), "UTF-8"),
        (url_of(b"hello", "application/pdf"), "PDF"),
        (url_of(b"", "application/pdf"), "PDF"),
        (url_of(b"\0" * 2_000 + pdf_of(1), "application/pdf"), "PDF"),
    ],
)
def test_what_is_not_what_it_says_is_refused(url: str, why: str) -> None:
    """Now, to whoever has sent it; a provider would say so minutes later. Nothing of it is repeated."""
    refusal = refusal_of(url) or ""

    assert why in refusal
    assert PRIVATE not in refusal


def test_a_pdf_may_begin_a_little_later() -> None:
    """Printers' files do, and all readers take them."""
    assert refusal_of(url_of(b"\x1b%-12345X\n" + pdf_of(1), "application/pdf")) is None


def test_a_pdf_has_no_words() -> None:
    """Its text is in compressed streams, which are the model's side to read."""
    assert is_pdf(PDF)
    assert is_pdf(PDF | {"file_data": PDF["file_data"].replace("application/pdf", "Application/PDF;v=1")})
    assert words_of(PDF) is None


def test_the_mark_that_windows_puts_before_text_is_not_shown() -> None:
    """It says how to read what follows, and that is done."""
    part = file_of(b"\xef\xbb\xbfhi", 'my "notes".txt', "text/plain")

    assert words_of(part) == '<file name="my \\"notes\\".txt">\nhi\n</file>'


@given(text=st.text(st.characters(exclude_characters="\0\ufeff", codec="utf-8")), name=st.text(min_size=1))
def test_every_text_reaches_the_model_whole(text: str, name: str) -> None:
    """Nothing is trimmed or rewrapped."""
    part = file_of(text, name)

    assert refusal_of(part["file_data"]) is None
    assert f">\n{text}\n<" in (words_of(part) or "")


@given(
    head=st.sampled_from(["", "data:", "data:text/plain;base64,", "data:application/pdf;base64,", "data:,"]),
    text=st.text(max_size=60) | st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()),
)
def test_whatever_is_taken_can_be_shown(head: str, text: str) -> None:
    """What passes here must not fail in a worker, where nobody could mend it."""
    part = {"type": "input_file", "filename": "x", "file_data": head + text}

    if refusal_of(part["file_data"]) is None:
        assert is_pdf(part) or words_of(part) is not None
