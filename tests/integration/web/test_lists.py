"""An owner's responses as a list, and all of them cancelled at once."""

from typing import Any

import httpx
import pytest

from meanwhile import wiring
from tests.integration.web.world import World, client_of, forget_wiring

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}


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


async def asked(http: httpx.AsyncClient, count: int, **said: Any) -> list[str]:
    """Create responses; return their ids, the newest first."""
    made = [(await http.post("/responses", json=ASKED | said)).json() for _ in range(count)]
    return [each["id"] for each in reversed(made)]


async def listed(http: httpx.AsyncClient, **query: Any) -> list[str]:
    """Return the ids of one page."""
    got = await http.get("/responses", params=query)
    assert got.status_code == 200, got.text
    return [row["id"] for row in got.json()["data"]]


@pytest.mark.usefixtures("clock")
async def test_the_newest_come_first_a_page_at_a_time(http: httpx.AsyncClient) -> None:
    """A chat window shows what was asked last, and goes back as far as somebody scrolls."""
    ids = await asked(http, 5)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}

    while True:
        page = (await http.get("/responses", params=query)).json()
        seen += [row["id"] for row in page["data"]]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if not page["has_more"]:
            break
        query["after"] = page["last_id"]

    assert seen == ids
    assert await listed(http, limit=5) == ids


async def test_the_newest_come_first_within_one_second(
    http: httpx.AsyncClient, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy client makes many responses in one second, which is all that the API shows of the time."""

    def now() -> float:
        clock[0] += 0.001
        return clock[0]

    monkeypatch.setattr(wiring, "now", now)
    forget_wiring()
    ids = await asked(http, 12)
    seen: list[str] = []
    after: dict[str, str] = {}

    while page := await listed(http, limit=5, **after):
        seen += page
        after = {"after": page[-1]}

    assert seen == ids
    rows = (await http.get("/responses")).json()["data"]
    assert {row["created_at"] for row in rows} == {1_900_000_000}


@pytest.mark.usefixtures("world")
async def test_pages_do_not_skip_or_repeat_within_one_millisecond(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell which of them is newer, but each is there once."""
    monkeypatch.setattr(wiring, "now", lambda: 1_900_000_000.5)
    forget_wiring()
    ids = await asked(http, 7)
    seen: list[str] = []
    after: dict[str, str] = {}

    while page := await listed(http, limit=3, **after):
        seen += page
        after = {"after": page[-1]}

    assert sorted(seen) == sorted(ids)


async def test_a_page_costs_one_query_and_one_look_at_the_leases(
    http: httpx.AsyncClient, world: World
) -> None:
    """However many others there are: a list must not become dearer with the table."""
    ids = await asked(http, 3)
    world.finish(ids[0], "Hello")
    world.calls.clear()

    await listed(http, limit=2)
    await listed(http, status="completed")

    assert world.calls == ["Query", "BatchGetItem", "Query"]


async def test_a_row_says_what_a_list_needs_and_opens_no_request(http: httpx.AsyncClient) -> None:
    """The model stands sealed in the small item that the index carries; the question stays shut."""
    made = (await http.post("/responses", json=ASKED)).json()

    (row,) = (await http.get("/responses")).json()["data"]

    names = ("id", "object", "created_at", "status", "model", "background", "store")
    assert row == {name: made[name] for name in names}


async def test_a_status_selects(http: httpx.AsyncClient, world: World) -> None:
    """`open` is what somebody who lost their tab looks for: whatever still runs."""
    failed, cancelled, completed, running, queued = await asked(http, 5)
    wiring.stores().leases.claim(running, now=wiring.now(), until=wiring.now() + 30, nonce="n", alone=False)
    world.finish(completed, "Hello")
    world.fail(failed)
    await http.post(f"/responses/{cancelled}/cancel")

    found = {status: await listed(http, status=status) for status in
             ("open", "queued", "in_progress", "completed", "incomplete", "failed", "cancelled")}  # fmt: skip

    assert {status: sorted(ids) for status, ids in found.items()} == {
        "open": sorted([running, queued]),
        "queued": [queued],
        "in_progress": [running],
        "completed": [completed],
        "incomplete": [],
        "failed": [failed],
        "cancelled": [cancelled],
    }


@pytest.mark.usefixtures("clock")
async def test_what_is_rare_is_found_behind_what_is_not(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call looks at so many rows and no more; then it says where to go on, though it found nothing."""
    monkeypatch.setattr("meanwhile.operations.responses.browse._LOOKED_AT", 3)
    ids = await asked(http, 5)
    world.finish(ids[4], "Hello")

    first = (await http.get("/responses", params={"status": "completed"})).json()
    second = await listed(http, status="completed", after=first["last_id"])

    assert (first["data"], first["first_id"], first["last_id"], first["has_more"]) == ([], None, ids[2], True)
    assert second == [ids[4]]


async def test_deleted_and_expired_are_not_listed(
    http: httpx.AsyncClient, world: World, clock: list[float]
) -> None:
    """DynamoDB removes what has expired days late; readers take it for gone at once."""
    deleted, unstored, kept = await asked(http, 3, store=False)
    for each in (deleted, unstored, kept):
        world.finish(each, "Hello")
    await http.delete(f"/responses/{deleted}")

    assert await listed(http) == [unstored, kept]
    clock[0] += 1000
    assert await listed(http) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("status=lost", "status"), ("after=x", "after"),
     (f"after=resp_{'0' * 48}", "after")],
)  # fmt: skip
async def test_a_list_asked_for_wrongly_is_refused(query: str, param: str, http: httpx.AsyncClient) -> None:
    """By name."""
    got = await http.get(f"/responses?{query}")

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)


async def test_a_cursor_must_be_ones_own_and_there(http: httpx.AsyncClient, world: World) -> None:
    """Another owner's id says no more than one that nobody has, and so does one that they have deleted."""
    (mine,) = await asked(http, 1)
    unknown = await http.get("/responses", params={"after": f"resp_{'0' * 48}"})

    async with client_of("mallory") as mallory:
        theirs = await mallory.get("/responses", params={"after": mine})
        world.finish(mine, "Hello")
        await http.delete(f"/responses/{mine}")
        deleted = await mallory.get("/responses", params={"after": mine})
        assert await listed(mallory) == []

    assert theirs.status_code == deleted.status_code == 400
    assert theirs.json() == deleted.json() == unknown.json()


@pytest.mark.usefixtures("clock")
async def test_a_cursor_outlives_its_response(http: httpx.AsyncClient, world: World) -> None:
    """Whoever clears a page of the list, and then asks for the next, gets the next."""
    ids = await asked(http, 5)
    page = (await http.get("/responses", params={"limit": 2})).json()
    for each in ids[:2]:
        world.finish(each, "Hello")
        await http.delete(f"/responses/{each}")

    assert await listed(http, limit=2, after=page["last_id"]) == ids[2:4]
    assert await listed(http) == ids[2:]


async def test_a_deleted_response_stands_in_no_index(http: httpx.AsyncClient, world: World) -> None:
    """What is gone must not be paid for by every list for a month."""
    (deleted,) = await asked(http, 1)
    world.finish(deleted, "Hello")
    await http.delete(f"/responses/{deleted}")

    assert "local" not in str(world.items())  # nor does it name anybody
    for index in ("by_owner", "open"):
        assert world.client.scan(TableName=world.table, IndexName=index)["Items"] == []


async def test_a_list_of_nothing_is_a_page(http: httpx.AsyncClient) -> None:
    """New owners look, too."""
    got = await http.get("/responses")

    assert got.json() == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_all_that_run_are_cancelled_and_nobody_elses(http: httpx.AsyncClient, world: World) -> None:
    """One call ends an accident; what has ended stays as it is."""
    ended, running, queued = await asked(http, 3)
    world.finish(ended, "Hello")
    world.start(running, "Hel")
    async with client_of("mallory") as mallory:
        (theirs,) = await asked(mallory, 1)

        said = await http.post("/responses/cancel_all")
        again = await http.post("/responses/cancel_all")

        assert (await mallory.get(f"/responses/{theirs}")).json()["status"] == "queued"
    counted = {"object": "response.cancelled_all", "unreadable": 0, "has_more": False}
    assert said.json() == {**counted, "cancelled": 2}
    assert again.json() == {**counted, "cancelled": 0}
    assert sorted(await listed(http, status="cancelled")) == sorted([running, queued])
    assert await listed(http, status="completed") == [ended]


async def test_one_call_cancels_so_many_and_says_that_there_are_more(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway waits 29 seconds, so a call is bounded and a loop ends."""
    monkeypatch.setattr("meanwhile.operations.responses.cancel_all._AT_ONCE", 2)
    await asked(http, 3)

    first = (await http.post("/responses/cancel_all")).json()
    second = (await http.post("/responses/cancel_all")).json()

    assert (first["cancelled"], first["has_more"]) == (2, True)
    assert (second["cancelled"], second["has_more"]) == (1, False)


async def test_an_index_that_lags_behind_cancels_nothing_twice(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the index still shows as open is looked up in the table before it is counted."""
    (ended,) = await asked(http, 1)
    responses = wiring.stores().responses
    stale = list(responses.of_owner("local", behind=None, since=0, page=5))
    world.finish(ended, "Hello")
    monkeypatch.setattr(responses, "of_owner", lambda *_, **__: iter(stale))

    assert (await http.post("/responses/cancel_all")).json()["cancelled"] == 0


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/cancel_all")])
async def test_an_owner_whose_key_is_destroyed_has_nothing(method: str, path: str) -> None:
    """Nothing of theirs opens, so nothing is there."""
    owner = f"gone-{method}"
    async with client_of(owner) as gone:
        await asked(gone, 1)
        wiring.keyring().destroy(owner)

        got = (await gone.request(method, f"/responses{path}")).json()

    assert len(got.get("data", [])) == got.get("cancelled", 0) == 0
