"""Conversations that are made again over HTTP, with a key and without."""

from typing import Any

import httpx
import pytest

from meanwhile.web.app import create_app
from meanwhile.web.openapi import document
from tests.integration.web.test_again import Losing, sdk_over
from tests.integration.web.world import World, client_of, unreachable

pytestmark = pytest.mark.anyio

KEY = {"idempotency-key": "k1"}
REPLAYED = "idempotent-replayed"


def message(text: str) -> dict[str, Any]:
    """Return an item that says something."""
    return {"role": "user", "content": text}


async def talk(http: httpx.AsyncClient, *words: str) -> str:
    """Make a conversation of messages; return its path."""
    got = await http.post("/conversations", json={"items": [message(word) for word in words]})
    return f"/conversations/{got.json()['id']}"


async def said(http: httpx.AsyncClient, path: str) -> list[str]:
    """Return what is in a conversation, oldest first."""
    got = await http.get(f"{path}/items", params={"order": "asc", "limit": 100})
    return [part["text"] for item in got.json()["data"] for part in item["content"]]


async def listed(http: httpx.AsyncClient) -> list[str]:
    """Return the ids of all conversations."""
    return [row["id"] for row in (await http.get("/conversations")).json()["data"]]


class Call:
    """A call that makes a conversation, and how the conversation is found in its answer."""

    def __init__(self, below: str, **body: Any) -> None:
        self.below, self.body = below, body

    async def __call__(self, http: httpx.AsyncClient, source: str, **more: Any) -> httpx.Response:
        path = "/conversations"
        if self.below:
            rows = (await http.get(f"{source}/items")).json()["data"]
            path = source + self.below.format(item=rows[-1]["id"])
        return await http.post(path, json=self.body | more.pop("body", {}), **more)

    def __repr__(self) -> str:
        return self.below.rpartition("/")[2].strip("{}") or "create"


MAKES = {
    Call("", items=[message("one")], title="a title"): ["one"],
    Call("/fork"): ["one", "two"],
    Call("/items/{item}", item=message("1")): ["1"],
}
"""The calls that make a conversation of one that says `one` and `two`, and what it says then."""
OTHER = {"create": {"title": "b"}, "fork": {"after": "msg_x"}, "item": {"item": message("2")}}

each = pytest.mark.parametrize("make", MAKES, ids=repr)


def of(answer: httpx.Response) -> Any:
    """Return the conversation that an answer is about."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body.get("conversation", body)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Return how a call was refused."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


REUSED = (400, "idempotency_key_reused", "Idempotency-Key")


@each
async def test_a_key_makes_one_conversation(http: httpx.AsyncClient, make: Call) -> None:
    """Sent again it is the same, word for word, and the answer says that it is not new."""
    source = await talk(http, "one", "two")

    first, again = [await make(http, source, headers=KEY) for _ in range(2)]
    other = await make(http, source, headers={"idempotency-key": "k2"})

    assert first.json() == again.json()
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert first.headers.get("etag") == again.headers.get("etag")
    made = f"/conversations/{of(first)['id']}"
    assert await said(http, made) == MAKES[make]
    assert sorted(await listed(http)) == sorted([source.rpartition("/")[2], of(first)["id"], of(other)["id"]])


@each
async def test_the_same_json_written_otherwise_is_the_same_call(http: httpx.AsyncClient, make: Call) -> None:
    """Names in another order, and none that says nothing left out or added."""
    source = await talk(http, "one", "two")
    first = await make(http, source, headers=KEY)
    turned = Call(make.below, **dict(reversed(make.body.items())))

    assert of(await turned(http, source, headers=KEY)) == of(first)


@each
async def test_a_key_with_another_body_is_refused(http: httpx.AsyncClient, make: Call) -> None:
    """With a 400 that no SDK sends again, and that names the header; so is one with another call."""
    source, other = await talk(http, "one", "two"), await talk(http, "one", "two")
    await make(http, source, headers=KEY)
    before = await listed(http)

    changed = await make(http, source, body=OTHER[repr(make)], headers=KEY)
    assert refusal(changed) == REUSED
    for another in MAKES:
        if repr(another) != repr(make):
            assert refusal(await another(http, source, headers=KEY)) == REUSED
    if make.below:
        assert refusal(await make(http, other, headers=KEY)) == REUSED
    assert await listed(http) == before


async def test_a_key_with_another_version_is_refused(http: httpx.AsyncClient) -> None:
    """An edit of version 1 is not one of whatever there is."""
    path = await talk(http, "one")
    (make,) = [each for each in MAKES if repr(each) == "item"]
    first = await make(http, path, headers=KEY | {"if-match": '"1"'})
    again = await make(http, path, headers=KEY | {"if-match": 'W/"1"'})

    assert first.json() == again.json()
    assert refusal(await make(http, path, headers=KEY)) == REUSED


@each
async def test_what_was_deleted_is_not_made_again(http: httpx.AsyncClient, make: Call) -> None:
    """Deleted stays deleted, whoever repeats the call; and it is said so."""
    source = await talk(http, "one", "two")
    made = of(await make(http, source, headers=KEY))
    await http.delete(f"/conversations/{made['id']}")

    refused = await make(http, source, headers=KEY)

    assert refusal(refused) == REUSED
    assert "gone" in refused.json()["error"]["message"]
    assert made["id"] not in await listed(http)


@each
async def test_two_owners_with_the_same_key_do_not_meet(http: httpx.AsyncClient, make: Call) -> None:
    """Each makes their own."""
    async with client_of("mallory") as mallory:
        mine, theirs = await talk(http, "one", "two"), await talk(mallory, "one", "two")
        here, there = await make(http, mine, headers=KEY), await make(mallory, theirs, headers=KEY)

        assert of(here)["id"] != of(there)["id"]
        assert REPLAYED not in there.headers
        got = await mallory.get(f"/conversations/{of(here)['id']}")
        assert got.status_code == 404
        if make.below:
            rows = (await http.get(f"{mine}/items")).json()["data"]
            path = mine + make.below.format(item=rows[-1]["id"])
            assert (await mallory.post(path, json=make.body, headers=KEY)).status_code in (400, 404)


@each
@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_what_cannot_be_a_key_is_refused(
    http: httpx.AsyncClient, world: World, make: Call, key: str
) -> None:
    """Before anything is stored."""
    source = await talk(http, "one", "two")
    before = world.thread_parts()

    refused = await make(http, source, headers={"idempotency-key": key})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert world.thread_parts() == before


@each
async def test_a_call_with_a_key_may_be_repeated(http: httpx.AsyncClient, world: World, make: Call) -> None:
    """What failed under a key is safe to send again, and SDKs are not told otherwise."""
    source = await talk(http, "one", "two")
    world.when("TransactWriteItems", unreachable)

    failed = await make(http, source, headers=KEY)
    again = await make(http, source, headers=KEY)

    assert failed.status_code == 503
    assert "x-should-retry" not in failed.headers
    assert await said(http, f"/conversations/{of(again)['id']}") == MAKES[make]
    assert len(await listed(http)) == 2


@each
async def test_without_a_key_a_call_must_not_be_repeated(
    http: httpx.AsyncClient, world: World, make: Call
) -> None:
    """Its retry would make another, also where an SDK says that it is one."""
    source = await talk(http, "one", "two")
    for headers in ({}, {"x-stainless-retry-count": "0"}):
        world.when("BatchWriteItem", unreachable)
        failed = await make(http, source, headers=headers)
        assert (failed.status_code, failed.headers["x-should-retry"]) == (503, "false")


@pytest.mark.parametrize("gateway", [True, False], ids=["gateway error", "broken connection"])
async def test_an_sdk_whose_first_answer_is_lost_makes_one_conversation(
    http: httpx.AsyncClient,
    world: World,  # noqa: ARG001  # the app needs it
    *,
    gateway: bool,
) -> None:
    """If it sends a key."""
    losing = Losing(gateway=gateway)
    async with sdk_over(losing) as sdk:
        made = await sdk.conversations.create(items=[message("one")], extra_headers=KEY)

    assert losing.counts == ["0", "1"]
    assert await listed(http) == [made.id]


def test_the_header_is_documented() -> None:
    """Generated clients have a parameter for it where it counts, beside what else a call takes."""
    found = {
        operation["operationId"]: [each["name"] for each in operation.get("parameters", ())]
        for methods in document(create_app())["paths"].values()
        for operation in methods.values()
    }

    assert {name for name, headers in found.items() if "Idempotency-Key" in headers} == {
        "createResponse",
        "compactResponse",
        "createConversation",
        "forkConversation",
        "createConversationItems",
        "editConversationItem",
    }
    assert "If-Match" in found["editConversationItem"]
    assert "conversation_id" in found["forkConversation"]
