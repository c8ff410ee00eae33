"""`POST /responses/input_tokens`: what a request would cost to read, over the real app."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from meanwhile import wiring
from meanwhile.vocabulary import Vocabularies
from tests.integration.web.world import World
from tests.support.vocabulary import FOLDER, vocabularies

pytestmark = pytest.mark.anyio

FROM_SETTINGS = wiring.vocabularies
URL = "/responses/input_tokens"
TOOL: Any = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
    "strict": True,
}
CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}


@pytest.fixture(autouse=True)
def _vocabularies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the vocabularies that other tests have loaded."""
    monkeypatch.setattr(wiring, "vocabularies", vocabularies)


async def counted(http: httpx.AsyncClient, **body: Any) -> int:
    """Return the count of a body."""
    answered = await http.post(URL, json=body)
    assert answered.status_code == 200, answered.text
    assert set(answered.json()) == {"object", "input_tokens"}
    assert answered.json()["object"] == "response.input_tokens"
    found: int = answered.json()["input_tokens"]
    return found


async def test_the_sdk_counts_without_asking_aws(sdk: Any, world: World) -> None:
    """Eight words, a role, three tokens around the message, three before the answer; nothing is stored."""
    found = await sdk.responses.input_tokens.count(model="simulator", input="What is 2 + 2?")

    assert (found.object, found.input_tokens) == ("response.input_tokens", 15)
    assert world.calls == []


async def test_everything_that_is_read_counts(sdk: Any) -> None:
    """Each more makes it more."""
    asked: dict[str, Any] = {"model": "simulator", "input": [{"role": "user", "content": "Hello"}]}
    image = {"type": "input_image", "image_url": "https://example.com/x.png", "detail": "low"}
    counts = []

    for more in (
        {},
        {"instructions": "Be brief."},
        {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True},
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}},
        {"input": [*asked["input"], {"role": "user", "content": [image]}]},
        {"reasoning": {"effort": "low"}, "truncation": "auto"},
    ):
        asked |= more
        counts.append((await sdk.responses.input_tokens.count(**asked)).input_tokens)

    assert counts[:-1] == sorted(set(counts))
    assert counts[-1] == counts[-2]
    assert counts[4] - counts[3] == 3 + 1 + 85


async def test_a_count_needs_no_model_and_no_input(http: httpx.AsyncClient) -> None:
    """All of it is optional in the API, and null is the default."""
    assert await counted(http) == 3
    assert await counted(http, model=None, input=None, instructions=None, tools=None, text=None) == 3
    assert await counted(http, input="What is 2 + 2?") == 15


async def test_each_model_counts_by_its_own_vocabulary(http: httpx.AsyncClient, world: World) -> None:
    """Nine tokens in the one, eight in the other."""
    world.set(model_base_url="https://example.com/v1")
    text = "お誕生日おめでとう"

    counts = [await counted(http, model=model, input=text) for model in ("gpt-4o", "gpt-4", "llama3")]

    assert counts == [8 + 7, 9 + 7, 9 + 7]


async def test_a_special_token_is_text(http: httpx.AsyncClient) -> None:
    """Users may ask about it."""
    assert await counted(http, input="What is <|endoftext|>?") > 3 + 1 + 3 + 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": 5},
        {"input": []},
        {"input": [{"role": "nobody", "content": "Hello"}]},
        {"input": [{"type": "input_file"}]},
        {"input": [CALL]},
        {"input": [CALL, CALL]},
        {"input": "\ud800"},
        {"input": "Hello", "model": "gpt-x"},
        {"input": "Hello", "model": ""},
        {"input": "Hello", "instructions": ["Be brief."]},
        {"input": "Hello", "tools": [TOOL, TOOL]},
        {"input": "Hello", "tools": [{"type": "web_search"}]},
        {"input": "Hello", "tool_choice": "required"},
        {"input": "Hello", "truncation": "middle"},
        {"input": "Hello", "unheard_of": 1},
    ],
)
async def test_what_create_refuses_is_refused_in_the_same_words(
    wrong: dict[str, Any], http: httpx.AsyncClient
) -> None:
    """A count of what cannot be asked would be a promise."""
    body = json.dumps({"model": "simulator", **wrong})

    create, count = [await http.post(url, content=body) for url in ("/responses", URL)]

    assert count.status_code == create.status_code == 400
    assert count.json() == create.json()


async def test_a_parameter_that_is_not_read_is_unknown(sdk: Any) -> None:
    """As in the API, whose count takes only what changes it."""
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.responses.input_tokens.count(input="Hello", extra_body={"temperature": 1})

    assert (refused.value.param, refused.value.code) == ("temperature", "unknown_parameter")


async def test_only_callers_we_know_may_count(http: httpx.AsyncClient) -> None:
    """It costs processing time."""
    assert (await http.post(URL, json={}, headers={"authorization": "Bearer x"})).status_code == 401


async def test_while_one_counts_others_are_answered(http: httpx.AsyncClient) -> None:
    """The largest body there can be takes seconds; the event loop has other callers."""
    counting = asyncio.create_task(counted(http, input="ab" * 2_000_000))
    await asyncio.sleep(0)

    assert (await http.get("/healthz")).status_code == 200

    assert not counting.done()
    assert await counting > 1_000_000


async def test_without_vocabularies_the_caller_learns_nothing_and_the_log_all(
    http: httpx.AsyncClient,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is a mistake of the build: a clean 500, and in the log what to do about it."""
    monkeypatch.setattr(wiring, "vocabularies", FROM_SETTINGS)
    world.set(tiktoken_cache_dir=tmp_path)

    with caplog.at_level(logging.ERROR):
        failed = await http.post(URL, json={"input": "Hello"})

    assert failed.status_code == 500
    assert failed.json()["error"] == {
        "message": "The server had an error while processing the request.",
        "type": "server_error",
        "param": None,
        "code": "server_error",
    }
    assert any("make vocabulary" in str(vars(record).get("reason")) for record in caplog.records)


async def test_who_does_not_count_loads_nothing(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A create call must not pay half a second and 70 MB for what it does not use."""
    fresh = Vocabularies(str(FOLDER))
    monkeypatch.setattr(wiring, "vocabularies", lambda: fresh)

    await http.post("/responses", json={"model": "simulator", "input": "Hello", "background": True})
    assert fresh.loaded == set()

    await counted(http, model="simulator", input="Hello")
    assert fresh.loaded == {"cl100k_base"}
