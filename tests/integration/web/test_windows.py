"""What a model's window holds, over HTTP: refused with the numbers, and counted with what it continues."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from meanwhile import wiring
from meanwhile.vocabulary import Vocabularies
from tests.integration.web.world import World
from tests.support import aws
from tests.support.vocabulary import FOLDER, vocabularies

pytestmark = pytest.mark.anyio

SMALL = "simulator-small"
"""4,096 tokens, of which a quarter is the answer's."""
WORDS = "word " * 3_000
HELLO = {"role": "user", "content": "Hello"}
IMAGES = ["https://example.com/x.png", "data:image/png;base64,iVBORw0KGgo="]


@pytest.fixture(autouse=True)
def _vocabularies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the vocabularies that other tests have loaded."""
    monkeypatch.setattr(wiring, "vocabularies", vocabularies)


async def made(http: httpx.AsyncClient, *said: str) -> str:
    """Make a conversation that says this; return its id."""
    items = [{"role": "user", "content": each} for each in said]
    got = await http.post("/conversations", json={"items": items})
    assert got.status_code == 200, got.text
    return str(got.json()["id"])


async def counted(http: httpx.AsyncClient, **body: Any) -> int:
    """Return the count of a body."""
    got = await http.post("/responses/input_tokens", json={"model": SMALL, **body})
    assert got.status_code == 200, got.text
    return int(got.json()["input_tokens"])


def everything(world: World) -> list[Any]:
    """Return all that is stored of responses and of threads."""
    threads = wiring.settings().threads_table
    return [world.items(), aws.client("dynamodb").scan(TableName=threads)["Items"]]


async def test_what_is_too_long_is_refused_with_the_numbers(http: httpx.AsyncClient, world: World) -> None:
    """Before anything is stored or sent; with `auto` too, for there is nothing else to drop."""
    for truncation in ("disabled", "auto"):
        got = await http.post(
            "/responses", json={"model": SMALL, "input": WORDS + WORDS, "truncation": truncation}
        )

        assert got.status_code == 400
        assert got.json()["error"] == {
            "message": "This does not fit into the model's context window: 6008 tokens of the request itself"
            " are more than 3072, which is the window of 4096 less 1024 for the answer.",
            "type": "invalid_request_error",
            "param": "input",
            "code": "context_length_exceeded",
        }
    assert world.calls == []


async def test_a_conversation_that_is_too_long_is_refused_and_not_locked(
    http: httpx.AsyncClient, world: World
) -> None:
    """`auto` drops from it instead, and is accepted at once."""
    talk = await made(http, WORDS)
    asked = {"model": SMALL, "input": WORDS[:1_000], "conversation": talk, "background": True}
    world.calls.clear()

    refused = await http.post("/responses", json=asked)
    calls = [*world.calls]
    taken = await http.post("/responses", json=asked | {"truncation": "auto"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert "and at least 3005 of what it continues" in refused.json()["error"]["message"]
    assert not {"SendMessage", "PutItem", "BatchWriteItem"} & set(calls)
    assert taken.status_code == 200


async def test_a_count_takes_in_what_is_continued(http: httpx.AsyncClient, world: World) -> None:
    """The same number as of all of it together; nothing is locked and nothing is written."""
    talk = await made(http, "one two three", "four five six")
    whole = [{"role": "user", "content": each} for each in ("one two three", "four five six", "Hello")]
    first = (
        await http.post("/responses", json={"model": SMALL, "input": whole[:2], "background": True})
    ).json()
    world.finish(first["id"])
    before = everything(world)

    alone = await counted(http, input=whole)

    assert await counted(http, input=[HELLO], conversation=talk) == alone
    assert await counted(http, input=[HELLO], conversation={"id": talk}) == alone
    assert await counted(http, input=[HELLO], previous_response_id=first["id"]) == alone
    assert everything(world) == before


async def test_a_count_takes_in_an_answer_as_soon_as_it_has_ended(
    http: httpx.AsyncClient, world: World
) -> None:
    """Its reader counts before whoever ended it has put it into the conversation."""
    talk = await made(http)
    asked = {"model": SMALL, "input": "one two three", "conversation": talk, "background": True}
    response = (await http.post("/responses", json=asked)).json()["id"]
    world.finish(response, "four five six", mend=False)

    spoken = [{"role": "user", "content": "one two three"}, {"role": "assistant", "content": "four five six"}]
    assert await counted(http, conversation=talk) == await counted(http, input=spoken)


async def test_a_count_of_what_does_not_fit_is_of_what_is_left_or_of_all(http: httpx.AsyncClient) -> None:
    """As `truncation` says: `auto` sends less."""
    talk = await made(http, WORDS + WORDS[:500], "one two three")

    assert await counted(http, input=[HELLO], conversation=talk, truncation="auto") < 20
    assert await counted(http, input=[HELLO], conversation=talk) > 3_000


async def test_a_count_is_of_what_is_left_while_nothing_else_has_continued_it(
    http: httpx.AsyncClient, world: World
) -> None:
    """The response is in no thread yet; the one that continues it would be cut all the same."""
    whole = [{"role": "user", "content": each} for each in (WORDS, "one two three", "four five six")]
    first = await http.post("/responses", json={"model": SMALL, "input": whole, "background": True})
    world.finish(first.json()["id"])
    own = {"role": "user", "content": WORDS[:1_000]}
    asked = {"input": [own], "previous_response_id": first.json()["id"]}

    assert await counted(http, **asked, truncation="auto") == await counted(http, input=[*whole[1:], own])
    assert await counted(http, **asked) == await counted(http, input=[*whole, own])


async def test_a_count_of_what_is_not_there_is_refused_as_a_create_call(http: httpx.AsyncClient) -> None:
    """In the same words."""
    for what in (
        {"conversation": f"conv_{'0' * 48}"},
        {"previous_response_id": f"resp_{'0' * 48}"},
        {"conversation": f"conv_{'0' * 48}", "previous_response_id": f"resp_{'0' * 48}"},
    ):
        body = {"model": SMALL, "input": "Hello", **what}
        create, count = [await http.post(url, json=body) for url in ("/responses", "/responses/input_tokens")]
        assert (count.status_code, count.json()) == (create.status_code, create.json())


async def test_who_surely_fits_loads_nothing(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither alone nor in a conversation; and the conversation is not read."""
    talk = await made(http, "one two three")
    fresh = Vocabularies(str(FOLDER))
    monkeypatch.setattr(wiring, "vocabularies", lambda: fresh)
    world.set()
    world.calls.clear()

    for more in ({}, {"conversation": talk}):
        got = await http.post(
            "/responses", json={"model": SMALL, "input": "Hello", "background": True, **more}
        )
        assert got.status_code == 200, got.text

    assert fresh.loaded == set()
    assert sorted(world.calls)[-4:] == ["Query", "SendMessage", "SendMessage", "UpdateItem"]


@pytest.mark.parametrize("image_url", IMAGES)
async def test_images_for_a_model_that_cannot_see_are_refused_before_anything_is_queued(
    image_url: str, http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By address and as data URL, in a message and in an output; the error names where."""
    catalogue = wiring.catalogue()
    blind = replace(catalogue, entries={SMALL: replace(catalogue.entries[SMALL], images=False)})
    monkeypatch.setattr(wiring, "catalogue", lambda: blind)
    part = {"type": "input_image", "image_url": image_url}
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": [part]}

    for items, param in (
        ([{"role": "user", "content": [{"type": "input_text", "text": "?"}, part]}], "input[0].content[1]"),
        ([call, output], "input[1].output[0]"),
    ):
        got = await http.post("/responses", json={"model": SMALL, "input": items})
        assert got.status_code == 400
        assert got.json()["error"] == {
            "message": "This model cannot see images.",
            "type": "invalid_request_error",
            "param": param,
            "code": "invalid_value",
        }
    assert world.calls == []
