"""What files cost to read: text its tokens, a PDF its pages, as far as they can be seen."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.files import MAX_CHARACTERS, words_of
from meanwhile.pdfs import BYTES_A_PAGE, pages_of
from meanwhile.tokens import AT_MOST, MESSAGE, PAGE, Tokens
from tests.support.files import PDF, file_of, pdf_of
from tests.support.vocabulary import vocabularies

TOKENS = Tokens(vocabularies().counter("cl100k_base"))


def shown(*parts: dict[str, str]) -> dict[str, object]:
    """Return a message."""
    return {"type": "message", "role": "user", "content": list(parts)}


def test_a_text_file_costs_what_is_shown_of_it() -> None:
    """Its name, where it begins and where it ends, too."""
    part = file_of("one two three")
    text = {"type": "input_text", "text": words_of(part) or ""}

    assert TOKENS.of_item(shown(part)) == TOKENS.of_item(shown(text)) > MESSAGE + 3


def test_a_pdf_costs_its_pages_and_its_name() -> None:
    """Its base64 would be thousands of tokens that no model reads; in a message as in an output."""
    returned = {"type": "function_call_output", "call_id": "c", "output": [PDF]}

    assert TOKENS.of_item(returned) == MESSAGE + TOKENS.of_text('"report.pdf"') + 2 * PAGE
    assert TOKENS.of_item(shown(PDF)) == TOKENS.of_item(returned) + 1


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (pdf_of(1), 1),
        (pdf_of(40), 40),
        (pdf_of(3, size=10 * BYTES_A_PAGE), 3),
        (b"%PDF-1.7 <</Type/Page>> <</Type\r\n/Page/Parent 1 0 R>> <</Type/Pages>> <</Type/PageLabel>>", 2),
        (b"%PDF-1.7 <</Type/Catalog>>", 1),
        (b"%PDF-1.7" + zlib.compress(pdf_of(9)), 1),
        (b"%PDF-1.7" + b"x" * (3 * BYTES_A_PAGE), 4),
        (b"", 1),
    ],
)
def test_pages_are_counted_where_they_can_be_seen_and_guessed_by_size_elsewhere(
    data: bytes, pages: int
) -> None:
    """An estimate, and told as one: nothing is decompressed, for a small file may hold gigabytes."""
    assert pages_of(data) == pages


@pytest.mark.parametrize("piece", [b"/Type", b"/Type ", b"/Type" + b" " * 100, b" ", b"/Type/Page", b"/Typ"])
def test_pages_of_a_file_made_to_cost_much_are_counted_in_one_go(piece: bytes) -> None:
    """From each place anew to the end of the file would take for days; this test would not come back."""
    assert pages_of(b"%PDF-1.4" + piece * (MAX_CHARACTERS // len(piece))) > 0


@given(st.lists(st.text(max_size=40) | st.integers(0, 5), max_size=5), st.text(min_size=1, max_size=20))
def test_a_bound_that_takes_no_vocabulary_is_never_too_low(files: list[str | int], name: str) -> None:
    """Who surely fits is let in by it, uncounted."""
    parts = [
        file_of(pdf_of(each, size=7 * each), name, "application/pdf")
        if isinstance(each, int)
        else file_of(each, name)
        for each in files
    ]

    assert AT_MOST.of_item(shown(*parts)) >= TOKENS.of_item(shown(*parts))
