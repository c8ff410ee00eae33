"""Two owners: every operation of the OpenAPI document that takes an id, asked for somebody else's.

Cases come from the document, so an operation is covered the day it appears. One with a kind of id, or a
body, that this file does not know fails until it does.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from meanwhile import wiring
from meanwhile.domain.compaction import Compaction
from meanwhile.web.app import create_app
from meanwhile.web.openapi import document
from tests.integration.web.world import World, client_of

pytestmark = pytest.mark.anyio

DOCUMENT = document(create_app())


async def a_response(http: httpx.AsyncClient) -> str:
    """Make a response."""
    asked = {"model": "simulator", "input": "Hello", "background": True}
    made: str = (await http.post("/responses", json=asked)).json()["id"]
    return made


async def a_conversation(http: httpx.AsyncClient) -> str:
    """Make a conversation with something in it."""
    made: str = (await http.post("/conversations", json={"items": [HELLO]})).json()["id"]
    return made


async def an_item(http: httpx.AsyncClient, conversation_id: str | None = None) -> str:
    """Find the item in a conversation."""
    conversation_id = conversation_id or await a_conversation(http)
    found: str = (await http.get(f"/conversations/{conversation_id}/items")).json()["data"][0]["id"]
    return found


HELLO = {"role": "user", "content": "Hello"}

MADE: dict[str, tuple[str, Callable[[httpx.AsyncClient], Awaitable[str]]]] = {
    "response_id": (f"resp_{'0' * 48}", a_response),
    "conversation_id": (f"conv_{'0' * 48}", a_conversation),
    "item_id": (f"msg_{'0' * 48}", an_item),
}
"""By the name of a parameter: an id that nobody has, and how an owner comes to one."""


async def made(http: httpx.AsyncClient, names: set[str]) -> dict[str, str]:
    """Return ids of an owner's, those of parts within what is named beside them."""
    ids = {name: await MADE[name][1](http) for name in names}
    if "item_id" in ids:
        ids["item_id"] = await an_item(http, ids["conversation_id"])
    return ids


NOBODYS = {"model"}
"""Parameters of paths that name what belongs to no owner."""

CURSORS = {"/responses": "response_id", "/conversations": "conversation_id"}
"""What `after` names in the list at a path; elsewhere it names a part of what the path names."""

BODIES: dict[str, Any] = {
    "updateConversation": {"metadata": {"a": "b"}},
    "changeConversation": {"title": "Rivers"},
    "createConversationItems": {"items": [HELLO]},
    "editConversationItem": {"item": {"role": "user", "content": "Bye"}},
}
"""By operation: a body that is right, for operations that take an id in the path and a body."""


def operations() -> list[Any]:
    """Return every operation: its id, method, path, and what the path names."""
    found = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            names = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            name = operation["operationId"]
            found.append(pytest.param(method.upper(), path, operation, names - NOBODYS, id=name))
    return found


WITH_IDS = [each for each in operations() if each.values[3]]
LISTS = [
    pytest.param(path, id=path)
    for path, methods in DOCUMENT["paths"].items()
    if "{" not in path
    and any(each["name"] == "after" for each in methods.get("get", {}).get("parameters", []))
]


@pytest.mark.parametrize(("method", "path", "operation", "names"), operations())
def test_every_kind_of_id_is_known_here(
    method: str, path: str, operation: dict[str, Any], names: set[str]
) -> None:
    """An operation that is new is tested or it fails here; it cannot be forgotten."""
    assert path.count("{") == len(names | (NOBODYS & {path.rpartition("{")[2].rstrip("}")})), "undocumented"
    assert names <= set(MADE), f"{method} {path}: say in MADE how an owner comes to one"
    if names and operation.get("requestBody", {}).get("required"):
        assert operation["operationId"] in BODIES, f"{method} {path}: say in BODIES what it takes"


@pytest.mark.parametrize(("method", "path", "operation", "names"), WITH_IDS)
@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
async def test_what_is_another_owners_is_not_found(
    method: str,
    path: str,
    operation: dict[str, Any],
    names: set[str],
    ended: bool,  # noqa: FBT001  # a case
    http: httpx.AsyncClient,
    world: World,
) -> None:
    """Word for word what is said of an id that nobody has, and nothing has happened to what is there."""
    unknown = {name: MADE[name][0] for name in names}
    ids = await made(http, names)
    if ended and "response_id" in ids:
        world.finish(ids["response_id"], "Hello")
    before = world.items(), world.thread_parts()
    body = BODIES.get(operation["operationId"])

    async with client_of("mallory") as mallory:
        theirs = await mallory.request(method, path.format_map(ids), json=body)
        nobodys = await mallory.request(method, path.format_map(unknown), json=body)

    said = theirs.text
    for name in names:
        said = said.replace(ids[name], unknown[name])
    assert theirs.status_code == nobodys.status_code == 404
    assert said == nobodys.text
    assert theirs.headers.keys() == nobodys.headers.keys()
    assert (world.items(), world.thread_parts()) == before


@pytest.mark.parametrize(("method", "path", "operation", "names"), WITH_IDS)
async def test_the_owner_finds_it(
    method: str,
    path: str,
    operation: dict[str, Any],
    names: set[str],
    http: httpx.AsyncClient,
    world: World,
) -> None:
    """Else the test above would also pass for operations that find nothing at all."""
    ids = await made(http, names)
    if method == "DELETE" and "response_id" in ids:
        world.finish(ids["response_id"], "Hello")

    got = await http.request(method, path.format_map(ids), json=BODIES.get(operation["operationId"]))

    assert got.status_code == 200


def schemas_in(value: Any) -> set[str]:
    """Return the names of all schemas that a part of the document leads to."""
    found: set[str] = set()
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                left.append(DOCUMENT["components"]["schemas"][name])
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


TAKE_ITEMS = [
    each for each in operations() if "Compaction" in schemas_in(each.values[2].get("requestBody", {}))
]


@pytest.mark.parametrize(("method", "path", "operation", "names"), TAKE_ITEMS)
async def test_what_was_sealed_for_another_owner_does_not_open(
    method: str, path: str, operation: dict[str, Any], names: set[str], world: World
) -> None:
    """A compaction item is what we say of a conversation: nobody reads another's by handing it in."""
    content = wiring.expand().compactions.close("local", Compaction(summary="Secret.", kept=[]))
    item = {"type": "compaction", "encrypted_content": content}
    (body,) = schemas_in(operation["requestBody"]["content"]["application/json"]["schema"]) & set(TAKING)

    async with client_of("mallory") as mallory:
        ids = await made(mallory, names)
        before = world.items()
        refused = await mallory.request(method, path.format_map(ids), json=TAKING[body](item))

    assert refused.status_code == 400
    assert refused.json()["error"]["param"].endswith("[0].encrypted_content")
    assert "Secret" not in refused.text
    assert world.items() == before


TAKING: dict[str, Callable[[Any], Any]] = {
    "AddItems": lambda item: {"items": [item]},
    "CompactResponse": lambda item: {"model": "simulator", "input": [item]},
    "CountInputTokens": lambda item: {"input": [item]},
    "CreateConversation": lambda item: {"items": [item]},
    "CreateResponse": lambda item: {"model": "simulator", "input": [item]},
    "EditItem": lambda item: {"item": item},
}
"""By the schema of a body: one with this item in it."""


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_holds_nothing_of_another_owners(path: str, http: httpx.AsyncClient) -> None:
    """Neither as a row nor as a place to go on from."""
    unknown, make = MADE[CURSORS[path]]
    mine = await make(http)

    async with client_of("mallory") as mallory:
        rows = await mallory.get(path)
        theirs = await mallory.get(path, params={"after": mine})
        nobodys = await mallory.get(path, params={"after": unknown})

    assert rows.json()["data"] == []
    assert mine in (await http.get(path)).text
    assert theirs.status_code == nobodys.status_code == 400
    assert theirs.json() == nobodys.json()


ASKED = {"model": "simulator", "input": "Hello", "background": True}
NAMED_IN_BODIES = [
    pytest.param(kind, "/responses", lambda id_, kind=kind: ASKED | {kind: id_}, id=kind)
    for kind in ("conversation", "previous_response_id")
] + [
    pytest.param(
        "previous_response_id",
        "/responses/compact",
        lambda id_: {"model": "simulator", "previous_response_id": id_},
        id="compact: previous_response_id",
    )
]


@pytest.mark.parametrize(("kind", "path", "body"), NAMED_IN_BODIES)
async def test_what_is_another_owners_is_not_continued(
    kind: str, path: str, body: Callable[[str], Any], http: httpx.AsyncClient, world: World
) -> None:
    """An id in a body is looked up like one in a path; a foreign conversation is not even locked."""
    world.set(wait_limit_seconds=0.1)
    unknown, make = MADE["conversation_id" if kind == "conversation" else "response_id"]
    mine = await make(http)
    if kind == "previous_response_id":
        world.finish(mine, "Hello")
    before = world.items(), world.thread_parts()

    async with client_of("mallory") as mallory:
        theirs = await mallory.post(path, json=body(mine))
        nobodys = await mallory.post(path, json=body(unknown))

    assert theirs.status_code == nobodys.status_code == (404 if kind == "conversation" else 400)
    assert theirs.text.replace(mine, unknown) == nobodys.text
    assert (world.items(), world.thread_parts()) == before
    assert (await http.post(path, json=body(mine))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/fork", lambda item: {"after": item}),
        ("PATCH", "", lambda item: {"pinned": [item]}),
        ("GET", "/items?after={item}", lambda _: None),
        ("GET", "/items?ids={item}", lambda _: None),
        ("GET", "/items/{item}", lambda _: None),
        ("DELETE", "/items/{item}", lambda _: None),
        ("POST", "/items/{item}", lambda _: {"item": HELLO}),
    ],
)
async def test_an_item_of_another_owners_is_not_in_my_conversation(
    method: str, path: str, body: Callable[[str], Any], http: httpx.AsyncClient
) -> None:
    """Nor is it told from one that nobody has."""
    item, unknown = await an_item(http), MADE["item_id"][0]

    async with client_of("mallory") as mallory:
        mine = f"/conversations/{await a_conversation(mallory)}{path}"
        theirs = await mallory.request(method, mine.format(item=item), json=body(item))
        nobodys = await mallory.request(method, mine.format(item=unknown), json=body(unknown))

    assert theirs.status_code == nobodys.status_code
    assert theirs.status_code in {400, 404} or theirs.json()["data"] == []
    assert theirs.text.replace(item, unknown) == nobodys.text
