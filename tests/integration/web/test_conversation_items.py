"""Items of conversations over HTTP: added, listed, read, edited and deleted."""

import json
from typing import Any

import httpx
import pytest

from tests.integration.web.world import World, unreachable

pytestmark = pytest.mark.anyio

CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT = {
    "type": "function_call_output",
    "call_id": "call_1",
    "output": [{"type": "input_text", "text": "4"}],
}
IMAGE = {"type": "input_image", "image_url": "https://example.com/a.png"}
KEY = {"idempotency-key": "k1"}


def message(text: str, **more: Any) -> dict[str, Any]:
    """Return an item that says something."""
    return {"role": "user", "content": text, **more}


async def talk(http: httpx.AsyncClient, *words: str) -> str:
    """Make a conversation of messages; return its path."""
    got = await http.post("/conversations", json={"items": [message(word) for word in words]})
    return f"/conversations/{got.json()['id']}"


async def rows(http: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    """Return a page of items, oldest first."""
    got = await http.get(f"{path}/items", params={"order": "asc", **query})
    assert got.status_code == 200, got.text
    found: list[Any] = got.json()["data"]
    return found


def texts(items: list[Any]) -> list[str]:
    """Return what messages say."""
    return [part["text"] for item in items for part in item["content"]]


# ── Added ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_lists_that_are_sent_as_null_come_back_as_lists(http: httpx.AsyncClient) -> None:
    """SDKs send back what other servers gave them, and iterate over what we give."""
    said = {"type": "output_text", "text": "Hello.", "annotations": None, "logprobs": None}
    path = await talk(http)

    await http.post(f"{path}/items", json={"items": [{"role": "assistant", "content": [said]}]})

    ((part,),) = (item["content"] for item in await rows(http, path))
    assert part == said | {"annotations": [], "logprobs": []}


async def test_items_of_every_kind_come_back_as_inputs_do(http: httpx.AsyncClient) -> None:
    """With an id of their own and a status, their content as parts: one form, however they were written."""
    path = await talk(http)
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    items = [
        message("Hi", id="mine"),
        {"role": "assistant", "content": "Hello"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look:"}, IMAGE]},
        CALL,
        OUTPUT,
        reasoning,
    ]

    added = (await http.post(f"{path}/items", json={"items": items})).json()

    kinds = [item["type"] for item in added["data"]]
    assert kinds == ["message"] * 3 + ["function_call", "function_call_output", "reasoning"]
    assert [item["id"].partition("_")[0] for item in added["data"]] == [
        "msg",
        "msg",
        "msg",
        "fc",
        "fco",
        "rs",
    ]
    assert {item["status"] for item in added["data"]} == {"completed"}
    assert added["data"][0]["content"] == [{"type": "input_text", "text": "Hi"}]
    assert (added["first_id"], added["last_id"]) == (added["data"][0]["id"], added["data"][-1]["id"])
    assert await rows(http, path) == added["data"]


async def test_a_call_may_be_added_before_its_output(http: httpx.AsyncClient) -> None:
    """Both belong to the conversation, not to one call of this API."""
    path = await talk(http)

    for item in (CALL, OUTPUT):
        assert (await http.post(f"{path}/items", json={"items": [item]})).status_code == 200


async def test_an_id_may_be_sent_again(http: httpx.AsyncClient) -> None:
    """Clients send back what they have listed; it is another item then."""
    path = await talk(http, "one")
    (first,) = await rows(http, path)

    await http.post(f"{path}/items", json={"items": [first]})

    again = await rows(http, path)
    assert texts(again) == ["one", "one"]
    assert again[0]["id"] != again[1]["id"]


async def test_many_items_are_added_at_once(http: httpx.AsyncClient) -> None:
    """An import of a thousand messages is one call; more than that is not."""
    path = await talk(http)
    words = [str(n) for n in range(1000)]

    added = await http.post(f"{path}/items", json={"items": [message(word) for word in words]})
    too_many = await http.post(f"{path}/items", json={"items": [message("x")] * 1001})

    assert texts(added.json()["data"]) == words
    assert (too_many.status_code, too_many.json()["error"]["param"]) == (400, "items")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 100}
    while page := await rows(http, path, **query):
        seen += texts(page)
        query["after"] = page[-1]["id"]
    assert seen == words


async def test_under_a_key_items_are_added_once(http: httpx.AsyncClient) -> None:
    """Sent again they are the same items; other items, or another conversation, need another key."""
    path, other = await talk(http), await talk(http)
    body = {"items": [message("one"), message("two")]}

    first = await http.post(f"{path}/items", json=body, headers=KEY)
    again = await http.post(f"{path}/items", json=body, headers=KEY)
    changed = await http.post(f"{path}/items", json={"items": [message("1"), message("2")]}, headers=KEY)
    elsewhere = await http.post(f"{other}/items", json=body, headers=KEY)
    unkeyed = await http.post(f"{path}/items", json=body)

    assert first.json() == again.json()
    for refused in (changed, elsewhere):
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (400, "idempotency_key_reused")
        assert error["param"] == "Idempotency-Key"
    assert unkeyed.json() != first.json()
    assert texts(await rows(http, path)) == ["one", "two", "one", "two"]


@pytest.mark.parametrize("nth", range(1, 5))
async def test_an_import_that_broke_off_is_completed_by_its_retry(
    nth: int, http: httpx.AsyncClient, world: World
) -> None:
    """Whatever was there stays; nothing comes twice, nothing is missing."""
    path = await talk(http)
    body = {"items": [message(str(n)) for n in range(250)]}
    world.when("PutItem", unreachable, nth=nth)

    first = await http.post(f"{path}/items", json=body, headers=KEY)
    second = await http.post(f"{path}/items", json=body, headers=KEY)

    assert (first.status_code, second.status_code) == (503, 200)
    assert "x-should-retry" not in first.headers
    assert texts(second.json()["data"]) == [str(n) for n in range(250)]
    assert len(await rows(http, path, limit=100, after=second.json()["data"][199]["id"])) == 50


async def test_without_a_key_a_retry_would_add_twice_and_is_told_so(
    http: httpx.AsyncClient, world: World
) -> None:
    """The SDK would repeat a 503 by itself."""
    path = await talk(http)
    world.when("PutItem", unreachable)

    got = await http.post(f"{path}/items", json={"items": [message("x")]})

    assert (got.status_code, got.headers["x-should-retry"]) == (503, "false")


async def test_a_key_is_not_taken_for_a_conversation_that_is_not_there(
    http: httpx.AsyncClient, world: World
) -> None:
    """A slip in a path must not cost the key."""
    got = await http.post(
        f"/conversations/conv_{'0' * 48}/items", json={"items": [message("x")]}, headers=KEY
    )

    assert (got.status_code, world.items()) == (404, [])


# ── Listed ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_pages_follow_each_other_both_ways(limit: int, http: httpx.AsyncClient) -> None:
    """Behind `last_id`, whatever lies on the border of a page; the newest first unless asked otherwise."""
    words = ["one", "two", "three", "four", "five"]
    path = await talk(http, *words[:3])
    await http.post(f"{path}/items", json={"items": [message(word) for word in words[3:]]})

    for order, expected in (("asc", words), ("desc", words[::-1]), (None, words[::-1])):
        seen: list[str] = []
        query: dict[str, Any] = {"limit": limit} | ({"order": order} if order else {})
        while True:
            page = (await http.get(f"{path}/items", params=query)).json()
            seen += texts(page["data"])
            if not page["has_more"]:
                break
            query["after"] = page["last_id"]
        assert seen == expected


async def test_a_page_can_be_asked_for_behind_what_was_deleted_since(http: httpx.AsyncClient) -> None:
    """Somebody scrolls while somebody else tidies up."""
    path = await talk(http, "one", "two", "three")
    items = await rows(http, path)

    await http.delete(f"{path}/items/{items[1]['id']}")

    assert texts(await rows(http, path, after=items[1]["id"])) == ["three"]


async def test_items_are_read_by_id(http: httpx.AsyncClient) -> None:
    """Up to a hundred, in the order asked for, in one call; those that are not there are left out."""
    path = await talk(http, "one", "two", "three")
    ids = [item["id"] for item in await rows(http, path)]

    commas = await rows(http, path, ids=f"{ids[2]},{ids[0]},msg_0,,{ids[2]}")
    brackets = await rows(http, path, **{"ids[]": [ids[2], "x y", ids[0]]})
    none = await rows(http, path, ids="")
    page = (await http.get(f"{path}/items", params={"ids": ids[0]})).json()

    assert texts(commas) == texts(brackets) == ["three", "one"]
    assert none == []
    assert (page["has_more"], page["first_id"], page["last_id"]) == (False, ids[0], ids[0])


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("after=msg_0", "after"),
        ("after=", "after"),
        ("after=%00", "after"),
        (f"after={'x' * 3000}", "after"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("order=up", "order"),
        ("include[]=everything", "include[][0]"),
        (f"ids={'a,' * 101}", "ids"),
        ("ids=a&after=b", "ids"),
    ],
)
async def test_a_page_that_cannot_be_is_refused_by_name(
    query: str, param: str, http: httpx.AsyncClient
) -> None:
    """As for every list."""
    path = await talk(http, "one")

    got = await http.get(f"{path}/items?{query}")

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)


async def test_what_can_be_included_is_taken(http: httpx.AsyncClient) -> None:
    """The words of the API; nothing is left out here, so there is nothing to add."""
    path = await talk(http, "one")
    (item,) = await rows(http, path)
    include = "include[]=message.output_text.logprobs&include[]=reasoning.encrypted_content"

    for method, url, body in (
        ("GET", f"{path}/items?{include}", None),
        ("GET", f"{path}/items/{item['id']}?{include}", None),
        ("POST", f"{path}/items?{include}", {"items": [message("x")]}),
    ):
        assert (await http.request(method, url, json=body)).status_code == 200


# ── Edited and deleted ────────────────────────────────────────────────────────────────────────────────


async def test_an_edit_is_a_new_version_on_a_fork(http: httpx.AsyncClient) -> None:
    """The fork ends with it; the old version stays where it is, with all that followed it."""
    path = await talk(http, "one", "two", "three")
    items = await rows(http, path)
    url = f"{path}/items/{items[1]['id']}"

    edited = (await http.post(url, json={"item": message("zwei", id="ignored")})).json()
    branch = f"/conversations/{edited['conversation']['id']}"
    again = (await http.post(f"{branch}/items/{items[1]['id']}", json={"item": message("deux")})).json()

    new = edited["item"]
    assert edited["object"] == "conversation.item.edited"
    assert (new["id"], new["version"], new["parent_version"]) == (items[1]["id"], 2, 1)
    assert edited["conversation"]["parent"] == {"id": path.removeprefix("/conversations/")}
    assert (again["item"]["version"], again["item"]["parent_version"]) == (3, 2)
    assert await rows(http, branch) == [items[0], new]
    assert (await http.get(f"{branch}/items/{new['id']}")).json() == new
    assert await rows(http, path) == items
    assert (await http.get(url)).json() == items[1]


async def test_an_edit_can_name_the_version_it_replaces(http: httpx.AsyncClient) -> None:
    """By the ETag that the item was read with."""
    path = await talk(http, "one")
    (item,) = await rows(http, path)
    url = f"{path}/items/{item['id']}"
    etag = (await http.get(url)).headers["etag"]

    right = await http.post(url, json={"item": message("eins")}, headers={"if-match": etag})
    wrong = await http.post(url, json={"item": message("eins")}, headers={"if-match": '"2"'})

    assert (right.status_code, wrong.status_code) == (200, 412)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "item"),
        ({"item": 5}, "item"),
        ({"item": CALL}, "item.type"),
        ({"item": {"role": "user", "content": "\0"}}, "item.content"),
        ({"item": {"role": "user", "content": "x"}, "y": 1}, "y"),
    ],
)
async def test_what_is_wrong_with_an_edit_is_named(
    body: Any, param: str, http: httpx.AsyncClient, world: World
) -> None:
    """And nothing branches off."""
    path = await talk(http, "one")
    (item,) = await rows(http, path)
    before = world.thread_parts()

    got = await http.post(f"{path}/items/{item['id']}", content=json.dumps(body))

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)
    assert world.thread_parts() == before


async def test_deleting_an_item_returns_its_conversation(http: httpx.AsyncClient) -> None:
    """As in the API. It is gone for good, and for the branches that shared it."""
    path = await talk(http, "one", "two")
    items = await rows(http, path)
    fork = f"/conversations/{(await http.post(f'{path}/fork')).json()['id']}"
    url = f"{path}/items/{items[0]['id']}"

    got = await http.delete(url)

    assert got.json() == (await http.get(path)).json()
    assert [(await http.get(url)).status_code, (await http.delete(url)).status_code] == [404, 404]
    assert await rows(http, path) == await rows(http, fork) == items[1:]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "items"),
        ({"items": None}, "items"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"items": [message("x"), 5]}, "items[1]"),
        ({"items": [{"type": "message", "role": "user"}]}, "items[0].content"),
        ({"items": [message("x", role="nobody")]}, "items[0].role"),
        ({"items": [message("x\0")]}, "items[0].content"),
        ({"items": [message("x", id="\ud800")]}, "items[0].id"),
        ({"items": [message("x", id="")]}, "items[0].id"),
        ({"items": [{"type": "input_file"}]}, "items[0].type"),
        ({"items": [message("x")], "y": 1}, "y"),
    ],
)
async def test_what_is_wrong_with_items_is_named(
    body: Any, param: str, http: httpx.AsyncClient, world: World
) -> None:
    """Before any call: nothing is added, and no key is taken."""
    path = await talk(http)
    world.calls.clear()

    got = await http.post(f"{path}/items", content=json.dumps(body), headers=KEY)

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)
    assert world.calls == []


@pytest.mark.parametrize("name", ["x y", "%00", "%ED%A0%80", "ü", "x" * 129])
async def test_what_cannot_be_an_id_is_not_looked_for(
    name: str, http: httpx.AsyncClient, world: World
) -> None:
    """It is not there, like any other that is not."""
    path = await talk(http, "one")
    world.calls.clear()

    got = await http.get(f"{path}/items/{name}")

    assert (got.status_code, world.calls) == (404, [])


async def test_large_items_lie_in_the_bucket_and_come_back(http: httpx.AsyncClient) -> None:
    """Up to what a body may hold."""
    path = await talk(http)
    large = "".join(chr(0x4E00 + n % 20_000) for n in range(300_000))

    added = await http.post(f"{path}/items", json={"items": [message(large), message("small")]})

    assert added.status_code == 200
    assert texts(await rows(http, path)) == [large, "small"]


@pytest.mark.parametrize("asked", ["page", "ids"])
async def test_a_page_holds_no_more_than_an_answer_can_carry(asked: str, http: httpx.AsyncClient) -> None:
    """Lambda hands on 6 MB; with more, every page that holds two images would be a 502, and no way around."""
    path, image = await talk(http), {"type": "input_image", "image_url": "data:image/png;base64,"}
    ids: list[str] = []
    for letter in "ABC":
        content = [image | {"image_url": image["image_url"] + letter * 2_500_000}]
        added = await http.post(f"{path}/items", json={"items": [message("x") | {"content": content}]})
        ids.append(added.json()["data"][0]["id"])

    seen: list[str] = []
    query: dict[str, Any] = {"order": "asc"} if asked == "page" else {"ids": ",".join(ids)}
    while query:
        got = await http.get(f"{path}/items", params=query)
        page = got.json()
        assert page["data"]
        assert len(got.content) < 6_000_000
        seen += [item["id"] for item in page["data"]]
        goes_on = (
            {"order": "asc", "after": page["last_id"]} if asked == "page" else {"ids": ",".join(ids[2:])}
        )
        query = goes_on if page["has_more"] else {}

    assert seen == ids
