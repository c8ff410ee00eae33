"""Files in the input, over the real app: taken whole, refused by name, counted, listed and continued."""

import json
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import ResponseInputFile

from meanwhile import wiring
from meanwhile.domain.files import words_of
from meanwhile.tokens import PAGE
from tests.integration.web.world import World
from tests.support.files import PDF, file_of, pdf_of

pytestmark = pytest.mark.anyio

SMALL = "simulator-small"
"""4,096 tokens, of which a quarter is the answer's."""
NOTES = file_of("# Notes\nThe key is under the mat.")
CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}


def asked(*parts: Any, **more: Any) -> dict[str, Any]:
    """Return a body with one message."""
    return {"model": SMALL, "input": [{"role": "user", "content": list(parts)}], "background": True, **more}


async def counted(http: httpx.AsyncClient, *parts: Any, **more: Any) -> int:
    """Return the count of a message with these parts."""
    got = await http.post(
        "/responses/input_tokens", json={"model": SMALL, "input": asked(*parts)["input"], **more}
    )
    assert got.status_code == 200, got.text
    return int(got.json()["input_tokens"])


@pytest.fixture
def without_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001  # the settings first
    """Let the small model read no files, as a server of somebody's."""
    catalogue = wiring.catalogue()
    entry = replace(catalogue.entries[SMALL], files=False)
    entries = {**catalogue.entries, SMALL: entry}
    monkeypatch.setattr(wiring, "catalogue", lambda: replace(catalogue, entries=entries))


async def test_files_are_listed_as_they_came(sdk: Any) -> None:
    """In a message and in an output, however large; the SDK reads them as what it sent."""
    large = file_of(pdf_of(1, size=3_000_000), "large.pdf", "application/pdf")
    output = {"type": "function_call_output", "call_id": "c", "output": [NOTES, PDF]}
    items = [*asked(NOTES | {"detail": "low"}, large)["input"], CALL, output]

    made = await sdk.responses.create(model="simulator", input=items, background=True)
    listed = (await sdk.responses.input_items.list(made.id, order="asc")).data

    assert [part.to_dict() for part in listed[0].content] == [NOTES | {"detail": "low"}, large]
    assert all(isinstance(part, ResponseInputFile) for part in listed[0].content)
    assert [part.to_dict() for part in listed[2].output] == [NOTES, PDF]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_file", "file_id": "file-1"}, "file_id"),
        ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, "file_url"),
        ({name: value for name, value in NOTES.items() if name != "filename"}, "filename"),
        (NOTES | {"file_data": "IyBOb3Rlcw=="}, "file_data"),
        (NOTES | {"file_data": "data:text/plain;base64,IyBOb3R"}, "file_data"),
        (file_of(b"\xff\xfe", "a.txt", "text/plain"), "file_data"),
        (file_of(b"PK", "a.zip", "application/zip"), "file_data"),
        (file_of(b"PK", "a.pdf", "application/pdf"), "file_data"),
        (file_of(b" " * 3_300_000), "file_data"),
    ],
)
async def test_what_cannot_be_read_is_refused_before_anything_is_stored(
    part: dict[str, Any], param: str, http: httpx.AsyncClient, world: World
) -> None:
    """In each way that leads to a model, and in the same words."""
    text = {"type": "input_text", "text": "What is this?"}
    body = asked(text, part)
    item = body["input"][0]

    answers = [
        await http.post("/responses", json=body),
        await http.post("/responses/compact", json={"model": SMALL, "input": [item]}),
        await http.post("/responses/input_tokens", json={"input": [item]}),
        await http.post("/conversations", json={"items": [item]}),
    ]

    errors = [got.json()["error"] for got in answers]
    assert [got.status_code for got in answers] == [400] * 4
    assert [each["param"] for each in errors] == [
        *[f"input[0].content[1].{param}"] * 3,
        f"items[0].content[1].{param}",
    ]
    assert len({json.dumps(each).replace("items[0]", "input[0]") for each in errors}) == 1
    assert world.calls == []


async def test_files_are_counted_as_they_are_shown(http: httpx.AsyncClient) -> None:
    """Text by its tokens and a PDF by its pages, alone and in a conversation."""
    hello = {"type": "input_text", "text": "Hello"}
    text = {"type": "input_text", "text": words_of(NOTES) or ""}
    talk = (await http.post("/conversations", json={"items": asked(NOTES)["input"]})).json()["id"]

    before = await counted(http, hello)

    assert await counted(http, hello, NOTES) == await counted(http, hello, text) > before + 8
    assert 2 * PAGE < await counted(http, hello, PDF) - before < 2 * PAGE + 8
    continued = await counted(http, hello, conversation=talk)
    assert continued == before + await counted(http, NOTES) - 3


async def test_a_file_that_does_not_fit_is_refused_with_the_numbers(
    http: httpx.AsyncClient, world: World
) -> None:
    """A text by its tokens, though its base64 has more; a PDF by its pages, though it has few bytes."""
    fits = file_of("word " * 2_500)

    taken = await http.post("/responses", json=asked(fits))
    world.calls.clear()
    refused = [await http.post("/responses", json=asked(part)) for part in (file_of("word " * 3_100), PDF)]

    assert taken.status_code == 200, taken.text
    assert [got.json()["error"]["code"] for got in refused] == ["context_length_exceeded"] * 2
    assert world.calls == []


@pytest.mark.usefixtures("without_files")
async def test_a_pdf_for_a_model_that_reads_none_is_refused_and_text_is_not(
    http: httpx.AsyncClient, world: World
) -> None:
    """Before anything is queued; the error names where, in a message and in an output."""
    output = {"type": "function_call_output", "call_id": "c", "output": [PDF]}

    for items, param in (
        (asked(NOTES, PDF)["input"], "input[0].content[1]"),
        ([CALL, output], "input[1].output[0]"),
    ):
        got = await http.post("/responses", json={"model": SMALL, "input": items})
        assert got.status_code == 400
        assert got.json()["error"] == {
            "message": "This model cannot read PDF files. Send its text.",
            "type": "invalid_request_error",
            "param": param,
            "code": "invalid_value",
        }
    assert world.calls == []
    assert (await http.post("/responses", json=asked(NOTES))).status_code == 200


async def test_a_file_joins_a_conversation_and_stays_as_it_is(http: httpx.AsyncClient, sdk: Any) -> None:
    """Added, listed, edited: the same part each time."""
    talk = await sdk.conversations.create(items=asked(NOTES, PDF)["input"])
    (item,) = (await sdk.conversations.items.list(talk.id)).data

    edited = await http.post(
        f"/conversations/{talk.id}/items/{item.id}", json={"item": {"role": "user", "content": [PDF]}}
    )

    assert [part.to_dict() for part in item.content] == [NOTES, PDF]
    assert edited.json()["item"]["content"] == [PDF]
    with pytest.raises(openai.BadRequestError):
        await sdk.conversations.items.create(talk.id, items=asked(NOTES | {"file_data": "x"})["input"])
