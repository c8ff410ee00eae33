"""One response that cannot be opened any more: what its owner can still do, with the others and with it."""

from typing import Any

import httpx
import pytest

from meanwhile import wiring
from meanwhile.domain.threads import NewItem
from tests.integration.web.world import World, client_of

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}


async def asked(http: httpx.AsyncClient) -> str:
    """Create a response."""
    made = await http.post("/responses", json=ASKED)
    response_id: str = made.json()["id"]
    return response_id


async def talk(http: httpx.AsyncClient) -> str:
    """Make a conversation."""
    said = {"items": [{"role": "user", "content": "Hello"}], "title": "Rivers"}
    made = await http.post("/conversations", json=said)
    conversation_id: str = made.json()["id"]
    return conversation_id


def damage_thread(world: World, conversation_id: str, part: str) -> None:
    """Flip a bit of what is sealed in the first part of a thread that is called so."""
    item = next(
        each
        for each in world.thread_parts()
        if each["thread_id"]["S"] == conversation_id and each["part"]["S"].startswith(part)
    )
    sealed = bytearray(item["payload"]["B"])
    sealed[25] ^= 1
    world.client.put_item(TableName=world.threads, Item=item | {"payload": {"B": bytes(sealed)}})


def damage(world: World, response_id: str, part: str) -> None:
    """Flip a bit of what is sealed in a part."""
    key = {"response_id": {"S": response_id}, "part": {"S": part}}
    item: dict[str, Any] = world.client.get_item(TableName=world.table, Key=key)["Item"]
    sealed = bytearray(item["payload"]["B"])
    sealed[25] ^= 1
    world.client.put_item(TableName=world.table, Item=item | {"payload": {"B": bytes(sealed)}})


@pytest.mark.parametrize("status", [None, "open"])
async def test_a_row_that_does_not_open_hides_no_other(
    status: str | None, http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, and whoever runs the service reads which one it is."""
    whole, damaged = await asked(http), await asked(http)
    damage(world, damaged, "head")

    got = await http.get("/responses", params={"status": status} if status else {})

    assert [row["id"] for row in got.json()["data"]] == [whole]
    (record,) = [each for each in caplog.records if each.message == "a response that cannot be listed"]
    assert (vars(record)["response_id"], vars(record)["error"]) == (damaged, "Tampered")


async def test_a_row_that_is_not_asked_for_is_not_opened(
    http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Two thousand rows are looked at for one that fits, and opening takes time."""
    damage(world, await asked(http), "head")

    got = await http.get("/responses", params={"status": "completed"})

    assert (got.status_code, got.json()["data"]) == (200, [])
    assert "cannot be listed" not in caplog.text


@pytest.mark.parametrize("part", ["head", "log#000000", "request"])
async def test_all_others_are_cancelled(part: str, http: httpx.AsyncClient, world: World) -> None:
    """One call ends an accident, and says what it could not end. Of a head only the list needs the inside."""
    before, damaged, after = [await asked(http) for _ in range(3)]
    world.start(damaged, "Hel")
    damage(world, damaged, part)

    said = (await http.post("/responses/cancel_all")).json()

    assert (said["cancelled"], said["unreadable"]) == ((3, 0) if part == "head" else (2, 1))
    for each in (before, after):
        assert (await http.get(f"/responses/{each}")).json()["status"] == "cancelled"


async def test_a_loop_over_what_cannot_be_cancelled_ends(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call meets the same ones again: `has_more` must not promise what no call can do."""
    monkeypatch.setattr("meanwhile.operations.responses.cancel_all._AT_ONCE", 2)
    for _ in range(3):
        damage(world, await asked(http), "request")

    said = (await http.post("/responses/cancel_all")).json()

    assert (said["cancelled"], said["unreadable"], said["has_more"]) == (0, 2, False)


@pytest.mark.parametrize("part", ["head", "log#000000", "request", "output"])
async def test_what_has_ended_is_deleted_though_it_does_not_open(
    part: str, http: httpx.AsyncClient, world: World
) -> None:
    """Whoever cannot read it any more may at least be rid of it."""
    response_id = await asked(http)
    world.finish(response_id, "Hello")
    damage(world, response_id, part)

    deleted = await http.delete(f"/responses/{response_id}")

    assert deleted.json() == {"id": response_id, "object": "response.deleted", "deleted": True}
    assert (await http.get(f"/responses/{response_id}")).status_code == 404


async def test_what_may_still_run_is_not_deleted(http: httpx.AsyncClient, world: World) -> None:
    """Its log does not open, so nobody can tell: the sweeper ends it when its time is over."""
    response_id = await asked(http)
    world.start(response_id, "Hel")
    damage(world, response_id, "log#000000")

    refused = await http.delete(f"/responses/{response_id}")

    assert (refused.status_code, refused.json()["error"]["message"]) == (
        400,
        "Cannot delete an in-flight response.",
    )


async def test_an_ended_response_is_deleted_without_being_opened(
    http: httpx.AsyncClient, world: World
) -> None:
    """Not even the key is asked for: its owner may have been deleted since."""
    response_id = await asked(http)
    world.finish(response_id, "Hello")
    wiring.keyring()._forget("local")
    world.calls.clear()

    await http.delete(f"/responses/{response_id}")

    assert "Decrypt" not in world.calls


async def test_a_conversation_that_does_not_open_hides_no_other(
    http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """As with responses: it is left out of the list, and named in the log."""
    whole, damaged = await talk(http), await talk(http)
    damage_thread(world, damaged, "about")

    got = await http.get("/conversations")

    assert [row["id"] for row in got.json()["data"]] == [whole]
    (record,) = [each for each in caplog.records if each.message == "a conversation that cannot be listed"]
    assert (vars(record)["thread_id"], vars(record)["error"]) == (damaged, "Tampered")


@pytest.mark.parametrize("part", ["head", "about", "items#"])
async def test_a_conversation_that_does_not_open_can_be_deleted(
    part: str, http: httpx.AsyncClient, world: World
) -> None:
    """Reading it is a server error without a word of it; a stranger hears nothing; then it is gone."""
    damaged = await talk(http)
    path, asked_in = f"/conversations/{damaged}", ASKED | {"conversation": damaged}
    damage_thread(world, damaged, part)

    read = await http.get(f"{path}/items")
    async with client_of("eve") as eve:
        theirs = await eve.get(f"{path}/items")
    answered = await http.post("/responses", json=asked_in)
    gone = await http.delete(path)

    assert (read.status_code, theirs.status_code, gone.status_code) == (500, 404, 200)
    assert answered.status_code == (500 if part == "head" else 200)  # which looks at no older items
    assert not {"Hello", "Rivers"} & set(read.text.split())
    assert (await http.get(path)).status_code == 404
    assert (await http.get("/conversations")).json()["data"] == []


async def test_a_conversation_that_does_not_open_is_not_left_locked(
    http: httpx.AsyncClient, world: World
) -> None:
    """A response that could not be accepted does not run."""
    damaged = await talk(http)
    damage_thread(world, damaged, "head")

    for _ in range(2):
        refused = await http.post("/responses", json=ASKED | {"conversation": damaged})
        assert refused.status_code == 500

    (head,) = [
        each
        for each in world.thread_parts()
        if each["thread_id"]["S"] == damaged and each["part"]["S"] == "head"
    ]
    assert "lock" not in head


async def test_a_response_ends_though_its_conversation_does_not_open(
    http: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It adds nothing to what cannot be read, and whoever runs the service reads where."""
    damaged = await talk(http)
    asked_in = (await http.post("/responses", json=ASKED | {"conversation": damaged})).json()["id"]
    item = NewItem(content={"id": "msg_1", "type": "message"}, tokens=1)
    wiring.threads().log.append("local", damaged, 1, [item], "another", findable=False)
    damage_thread(world, damaged, "items#0000000001")

    world.finish(asked_in, "Good day")

    assert (await http.get(f"/responses/{asked_in}")).json()["status"] == "completed"
    (record,) = [each for each in caplog.records if each.message == "a thread that cannot be read"]
    assert (vars(record)["response_id"], vars(record)["thread_id"]) == (asked_in, damaged)
    head = wiring.threads().heads.head(damaged)
    assert head is not None
    assert head.lock is None
