"""Conversations over HTTP: made, found, described, branched off and deleted."""

import json
from itertools import pairwise
from typing import Any

import httpx
import pytest

from meanwhile import api, wiring
from tests.integration.web.world import World, unreachable

pytestmark = pytest.mark.anyio

HELLO = {"role": "user", "content": "Hello"}
NOBODY = f"conv_{'0' * 48}"


@pytest.fixture
def clock(world: World, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that the service reads; every reading is a second later."""
    time = [1_900_000_000.0]

    def now() -> float:
        time[0] += 1
        return time[0]

    monkeypatch.setattr(wiring, "now", now)
    world.set()
    return time


async def made(http: httpx.AsyncClient, **said: Any) -> Any:
    """Make a conversation; return it."""
    got = await http.post("/conversations", json=said)
    assert got.status_code == 200, got.text
    return got.json()


async def listed(http: httpx.AsyncClient, **query: Any) -> list[str]:
    """Return the ids of one page."""
    got = await http.get("/conversations", params=query)
    assert got.status_code == 200, got.text
    return [row["id"] for row in got.json()["data"]]


async def said(http: httpx.AsyncClient, conversation: str) -> list[str]:
    """Return what is in a conversation, oldest first."""
    got = await http.get(f"/conversations/{conversation}/items", params={"order": "asc"})
    return [part["text"] for item in got.json()["data"] for part in item["content"]]


async def item_ids(http: httpx.AsyncClient, conversation: str) -> list[str]:
    """Return the ids of its items, oldest first."""
    got = await http.get(f"/conversations/{conversation}/items", params={"order": "asc"})
    return [item["id"] for item in got.json()["data"]]


# ── One conversation ──────────────────────────────────────────────────────────────────────────────────


async def test_it_says_what_was_said_about_it(http: httpx.AsyncClient) -> None:
    """The API's keys, and beside them our own, always there."""
    bare = (await http.post("/conversations")).json()
    full = await made(http, title="Rivers", tags=["a", "b", "a"], metadata={"k": "v"}, items=[HELLO])

    assert bare == {
        "id": bare["id"], "object": "conversation", "created_at": bare["created_at"], "metadata": {},
        "title": None, "tags": [], "pinned": [], "parent": None,
    }  # fmt: skip
    assert (full["title"], full["tags"], full["metadata"]) == ("Rivers", ["a", "b"], {"k": "v"})
    assert (await http.get(f"/conversations/{full['id']}")).json() == full


async def test_items_are_pinned_by_the_ids_they_are_sent_with(http: httpx.AsyncClient) -> None:
    """They get ids of their own as they join, so that a caller cannot know those before."""
    items = [HELLO, HELLO | {"id": "rules", "content": "Be kind."}]

    it = await made(http, items=items, pinned=["rules"])

    assert it["pinned"] == (await item_ids(http, it["id"]))[1:]


async def test_a_change_names_what_it_changes(http: httpx.AsyncClient) -> None:
    """The rest stays; null and an empty list take it away."""
    it = await made(http, title="Rivers", tags=["a"], metadata={"k": "v"}, items=[HELLO])
    path, items = f"/conversations/{it['id']}", await item_ids(http, it["id"])

    retitled = (await http.patch(path, json={"title": "Lakes"})).json()
    pinned = (await http.patch(path, json={"pinned": items})).json()
    emptied = (
        await http.patch(path, json={"title": None, "tags": None, "metadata": {}, "pinned": []})
    ).json()
    updated = (await http.post(path, json={"metadata": {"x": "y"}})).json()

    assert retitled == it | {"title": "Lakes"}
    assert pinned == retitled | {"pinned": items}
    assert emptied == it | {"title": None, "tags": [], "metadata": {}}
    assert updated == emptied | {"metadata": {"x": "y"}}


async def test_only_what_is_in_it_can_be_pinned(http: httpx.AsyncClient) -> None:
    """Else a model would be promised what nobody can show it."""
    it, other = await made(http, items=[HELLO]), await made(http, items=[HELLO])
    path = f"/conversations/{it['id']}"
    (mine,), (theirs,) = await item_ids(http, it["id"]), await item_ids(http, other["id"])

    refused = await http.patch(path, json={"pinned": [mine, theirs]})
    at_birth = await http.post("/conversations", json={"items": [HELLO], "pinned": ["x"]})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "pinned[1]")
    assert (at_birth.status_code, at_birth.json()["error"]["param"]) == (400, "pinned[0]")
    assert (await http.get(path)).json() == it


# ── Versions ──────────────────────────────────────────────────────────────────────────────────────────


async def test_the_loser_of_a_race_is_told(http: httpx.AsyncClient) -> None:
    """Two tabs have read the same version; a 409 would be repeated by SDKs until it did harm."""
    created = await http.post("/conversations", json={"title": "one"})
    path, headers = f"/conversations/{created.json()['id']}", {"if-match": created.headers["etag"]}

    won = await http.patch(path, json={"title": "two"}, headers=headers)
    lost = await http.patch(path, json={"title": "three"}, headers=headers)
    also = await http.post(path, json={"metadata": {}}, headers=headers)

    assert won.headers["etag"] != created.headers["etag"]
    assert (lost.status_code, also.status_code) == (412, 412)
    assert lost.json()["error"]["code"] == "version_conflict"
    got = await http.get(path)
    assert (got.json()["title"], got.headers["etag"]) == ("two", won.headers["etag"])


async def test_a_weakened_tag_and_a_star_do(http: httpx.AsyncClient) -> None:
    """Proxies that compress weaken tags; a star asks for any version."""
    created = await http.post("/conversations")
    path = f"/conversations/{created.json()['id']}"

    weak = await http.patch(path, json={"title": "a"}, headers={"if-match": f"W/{created.headers['etag']}"})
    star = await http.patch(path, json={"title": "b"}, headers={"if-match": "*"})

    assert (weak.status_code, star.status_code) == (200, 200)


@pytest.mark.parametrize("tag", ["", '"abc"', "1", '"1", "2"', '"', '"-1"', '"99999999999999999999"'])
async def test_a_tag_that_is_none_of_ours_is_refused(tag: str, http: httpx.AsyncClient) -> None:
    """Left out in silence, the change would be made to whatever there is."""
    it = await made(http)

    got = await http.patch(f"/conversations/{it['id']}", json={"title": "a"}, headers={"if-match": tag})

    assert (got.status_code, got.json()["error"]["param"]) == (400, "If-Match")


async def test_what_is_known_is_not_sent_again(http: httpx.AsyncClient) -> None:
    """A 304 has no body, and says which version it is."""
    created = await http.post("/conversations", json={"title": "one"})
    path, etag = f"/conversations/{created.json()['id']}", created.headers["etag"]

    same = await http.get(path, headers={"if-none-match": f'"77", W/{etag}'})
    await http.patch(path, json={"title": "two"})
    other = await http.get(path, headers={"if-none-match": etag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert (other.status_code, other.json()["title"]) == (200, "two")


async def test_changes_of_different_things_at_the_same_moment_are_both_made(
    http: httpx.AsyncClient, world: World
) -> None:
    """Whoever names no version wants the change, whatever else has changed."""
    it = await made(http)
    conversations = api.conversing().conversations

    def meanwhile() -> None:
        conversations.update(
            "local", it["id"], lambda about: type(about)(tags=("new",), version=about.version)
        )

    world.when("PutItem", meanwhile)
    got = await http.patch(f"/conversations/{it['id']}", json={"title": "two"})

    assert (got.json()["title"], got.json()["tags"]) == ("two", ["new"])


# ── Lists ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("clock")
async def test_the_latest_active_come_first_a_page_at_a_time(http: httpx.AsyncClient) -> None:
    """What was added to last is at the top; pages go on behind the `last_id` of the one before."""
    ids = [(await made(http, metadata={"n": str(n)}))["id"] for n in range(5)]
    await http.post(f"/conversations/{ids[1]}/items", json={"items": [HELLO]})
    seen: list[Any] = []
    query: dict[str, Any] = {"limit": 2}

    while True:
        page = (await http.get("/conversations", params=query)).json()
        seen += page["data"]
        if not page["has_more"]:
            break
        query["after"] = page["last_id"]

    assert [row["id"] for row in seen] == [ids[1], ids[4], ids[3], ids[2], ids[0]]
    times = [row["last_active_at"] for row in seen]
    assert times == sorted(times, reverse=True)
    assert seen[-1].keys() ^ (await http.get(f"/conversations/{ids[0]}")).json().keys() == {
        "last_active_at", "parent",
    }  # fmt: skip


async def test_a_list_is_filtered_by_all_that_is_asked(http: httpx.AsyncClient, clock: list[float]) -> None:
    """Tag, metadata and dates together; dates are taken as people and as programs write them."""
    work = (await made(http, tags=["work"], metadata={"project": "x", "a [b]": "y z"}))["id"]
    clock[0] = 2_000_000_000
    home = (await made(http, tags=["home"], metadata={"project": "x"}))["id"]

    assert await listed(http) == [home, work]
    assert await listed(http, tag="work") == [work]
    assert await listed(http, **{"metadata[project]": "x"}) == [home, work]
    assert await listed(http, **{"metadata[project]": "x", "tag": "home"}) == [home]
    assert await listed(http, **{"metadata[project]": "y"}) == []
    assert await listed(http, **{"metadata[a [b]]": "y z"}) == [work]
    for day in ("2033-01-01", "1990000000", "2033-01-01T00:00:00Z", "2033-01-01T01:00:00+01:00", "20330101"):
        assert await listed(http, since=day) == [home], day
        assert await listed(http, until=day) == [work], day
    assert await listed(http, since="2033-01-02", until="2033-01-01") == []
    assert await listed(http, since="0001-01-01", until="9999-12-31") == [home, work]
    assert await listed(http, until="0001-01-01") == []


async def test_a_cursor_of_another_time_span_is_still_one(
    http: httpx.AsyncClient, clock: list[float]
) -> None:
    """DynamoDB refuses to go on from outside of what is asked for; a caller changes dates as it likes."""
    for _ in range(2):
        await made(http)
    cursor = (await http.get("/conversations", params={"limit": 1})).json()["last_id"]

    assert await listed(http, after=cursor, since=int(clock[0]) + 100) == []
    assert len(await listed(http, after=cursor, until=int(clock[0]) - 2)) <= 1
    assert len(await listed(http, after=cursor)) == 1


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("after=conv_1", "after"),
        (f"after={NOBODY}", "after"),
        (f"after={'9' * 16}-{NOBODY}", "after"),
        ("after=%00", "after"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("tag=", "tag"),
        (f"tag={'x' * 65}", "tag"),
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("since=%D9%A1", "since"),
        (f"since={'9' * 60}", "since"),
        (f"until={'9' * 65}", "until"),
        ("metadata=x", "metadata"),
        ("metadata[]=x", "metadata"),
        ("metadata[a]=x&metadata[a]=y", "metadata"),
        (f"metadata[a]={'x' * 513}", "metadata"),
        (f"metadata[{'x' * 65}]=x", "metadata"),
        ("&".join(f"metadata[{n}]=x" for n in range(17)), "metadata"),
    ],
)
async def test_a_list_that_cannot_be_is_refused_by_name(
    query: str, param: str, http: httpx.AsyncClient
) -> None:
    """A filter left out in silence would show what was not asked for."""
    got = await http.get(f"/conversations?{query}")

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)


# ── Branches, and the end ─────────────────────────────────────────────────────────────────────────────


async def test_a_fork_shares_what_stands_before_it(http: httpx.AsyncClient) -> None:
    """And what is said about it; from there on the two go their own ways, pinned items too."""
    items = [HELLO | {"id": word, "content": word} for word in ("one", "two", "three")]
    it = await made(http, items=items, title="Rivers", pinned=["one", "three"])
    path, ids = f"/conversations/{it['id']}", await item_ids(http, it["id"])

    half = (await http.post(f"{path}/fork", json={"after": ids[1]})).json()
    whole = (await http.post(f"{path}/fork")).json()
    await http.post(f"/conversations/{half['id']}/items", json={"items": [HELLO]})

    assert (half["parent"], half["title"], half["pinned"]) == ({"id": it["id"]}, "Rivers", [ids[0]])
    assert whole["pinned"] == it["pinned"]
    assert await said(http, half["id"]) == ["one", "two", "Hello"]
    assert await said(http, whole["id"]) == await said(http, it["id"]) == ["one", "two", "three"]


async def test_what_shares_nothing_still_names_what_it_branched_off(http: httpx.AsyncClient) -> None:
    """The first message is what people edit most; and what nothing was said in can be forked, too."""
    it, empty = await made(http, items=[HELLO, HELLO]), await made(http)
    (first, _) = await item_ids(http, it["id"])

    edit = await http.post(f"/conversations/{it['id']}/items/{first}", json={"item": HELLO})
    branch = edit.json()["conversation"]
    again = await http.post(f"/conversations/{branch['id']}/items/{first}", json={"item": HELLO})
    fork = await http.post(f"/conversations/{empty['id']}/fork", json={})

    assert branch["parent"] == {"id": it["id"]}
    assert again.json()["conversation"]["parent"] == {"id": branch["id"]}
    assert fork.json()["parent"] == {"id": empty["id"]}
    for made_of in (branch, again.json()["conversation"], fork.json()):
        assert (await http.get(f"/conversations/{made_of['id']}")).json() == made_of
    await http.delete(f"/conversations/{it['id']}")
    assert await item_ids(http, branch["id"]) == [first]


async def test_an_edit_that_is_edited_names_the_edit(http: httpx.AsyncClient) -> None:
    """Version 3 replaces 2, which is there and nowhere else; a fork of a fork names that, too."""
    it = await made(http, items=[HELLO, HELLO])
    (first, second) = await item_ids(http, it["id"])
    edits = [it]
    for _ in range(3):
        url = f"/conversations/{edits[-1]['id']}/items/{second}"
        edits.append((await http.post(url, json={"item": HELLO})).json()["conversation"])
    fork = (await http.post(f"/conversations/{edits[-1]['id']}/fork", json={"after": first})).json()

    for parent, branch in pairwise([*edits, fork]):
        assert branch["parent"] == {"id": parent["id"]}
        assert await item_ids(http, branch["id"]) == ([first] if branch is fork else [first, second])


async def test_a_fork_behind_what_is_not_there_is_refused(http: httpx.AsyncClient) -> None:
    """By the parameter's name."""
    it = await made(http, items=[HELLO])

    for after in ("msg_1", "\0x", "a" * 128):
        got = await http.post(f"/conversations/{it['id']}/fork", json={"after": after})
        assert (got.status_code, got.json()["error"]["param"]) == (400, "after")


async def test_what_is_deleted_is_found_by_no_call(http: httpx.AsyncClient, world: World) -> None:
    """Its items neither, and a response that ran in it ends without it."""
    it = await made(http, items=[HELLO])
    path, (item,) = f"/conversations/{it['id']}", await item_ids(http, it["id"])
    asked = {"model": "simulator", "input": "Hello", "background": True, "conversation": it["id"]}
    running = (await http.post("/responses", json=asked)).json()["id"]

    gone = await http.delete(path)

    assert gone.json() == {"id": it["id"], "object": "conversation.deleted", "deleted": True}
    for method, below in (("GET", ""), ("GET", "/items"), ("GET", f"/items/{item}"), ("DELETE", "")):
        assert (await http.request(method, path + below)).status_code == 404
    assert await listed(http) == []
    world.finish(running, "Good day")
    assert (await http.get(f"/responses/{running}")).json()["status"] == "completed"


# ── What is wrong ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": 5}, "items"),
        ({"items": [5]}, "items[0]"),
        ({"items": [{"role": "user"}]}, "items[0].content"),
        ({"items": [{"type": "item_reference", "id": "x"}]}, "items[0].type"),
        ({"items": [HELLO] * 21}, "items"),
        ({"items": [HELLO | {"id": "a"}, HELLO | {"id": "a"}]}, "items[1].id"),
        ({"items": [HELLO | {"content": "\ud800"}]}, "items[0].content"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"k": 5}}, "metadata.k"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata.k"),
        ({"title": 5}, "title"),
        ({"title": "x" * 257}, "title"),
        ({"title": "\0"}, "title"),
        ({"tags": "a"}, "tags"),
        ({"tags": [""]}, "tags[0]"),
        ({"tags": ["x" * 65]}, "tags[0]"),
        ({"tags": [str(n) for n in range(21)]}, "tags"),
        ({"pinned": [5]}, "pinned[0]"),
        ({"pinned": [str(n) for n in range(21)]}, "pinned"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
async def test_what_is_wrong_with_a_body_is_named(
    body: Any, param: str, http: httpx.AsyncClient, world: World
) -> None:
    """When it is made and, as far as it can be said there, when it is changed; nothing is stored."""
    it = await made(http)
    before, world.calls[:] = world.thread_parts(), []

    answers = [await http.post("/conversations", content=json.dumps(body))]
    if "items" not in body:
        answers.append(await http.patch(f"/conversations/{it['id']}", content=json.dumps(body)))

    for got in answers:
        assert (got.status_code, got.json()["error"]["param"]) == (400, param)
    assert (world.calls, world.thread_parts()) == ([], before)


@pytest.mark.parametrize("body", [b"[]", b"5", b"{", b"\xff", b'{"metadata": NaN}'])
async def test_a_body_that_is_no_object_is_refused(body: bytes, http: httpx.AsyncClient) -> None:
    """On every call that takes one, also where it may be left out."""
    it = await made(http)
    path = f"/conversations/{it['id']}"

    for method, url in (
        ("POST", "/conversations"),
        ("POST", path),
        ("PATCH", path),
        ("POST", f"{path}/fork"),
    ):
        assert (await http.request(method, url, content=body)).status_code == 400


async def test_the_apis_change_needs_metadata(http: httpx.AsyncClient) -> None:
    """Null takes it away; leaving it out is a slip."""
    it = await made(http, metadata={"k": "v"})
    path = f"/conversations/{it['id']}"

    left_out = await http.post(path, json={})
    null = await http.post(path, json={"metadata": None})

    assert (left_out.status_code, left_out.json()["error"]["param"]) == (400, "metadata")
    assert null.json()["metadata"] == {}


@pytest.mark.parametrize(
    "name", ["conv_1", "resp_" + "0" * 48, "conv_" + "G" * 48, "%00", "conv_" + "0" * 500]
)
async def test_what_cannot_be_an_id_reaches_no_table(
    name: str, http: httpx.AsyncClient, world: World
) -> None:
    """It is not there, like any other that is not."""
    got = await http.get(f"/conversations/{name}")

    assert (got.status_code, world.calls) == (404, [])


@pytest.mark.parametrize(("method", "below"), [("POST", ""), ("POST", "/fork")])
async def test_what_might_be_made_twice_says_so(
    method: str, below: str, http: httpx.AsyncClient, world: World
) -> None:
    """A retry by the SDK would make another."""
    it = await made(http)
    world.when("BatchWriteItem", unreachable)

    got = await http.request(method, f"/conversations/{it['id']}{below}" if below else "/conversations")

    assert (got.status_code, got.headers["x-should-retry"]) == (503, "false")


async def test_calls_are_counted(http: httpx.AsyncClient, world: World) -> None:
    """What decision 14 says they cost."""
    calls: dict[str, list[str]] = {}

    async def count(name: str, method: str, url: str, body: Any = None) -> Any:
        world.calls.clear()
        got = await http.request(method, url, json=body)
        calls[name] = [*world.calls]
        return got.json()

    it = await count("create", "POST", "/conversations", {})
    path = f"/conversations/{it['id']}"
    await count("get", "GET", path)
    await count("change", "PATCH", path, {"title": "a"})
    await count("list", "GET", "/conversations")

    assert calls == {
        "create": ["BatchWriteItem"],
        "get": ["BatchGetItem"],
        "change": ["BatchGetItem", "PutItem"],
        "list": ["Query", "BatchGetItem"],
    }
