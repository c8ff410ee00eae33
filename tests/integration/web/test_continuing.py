"""`conversation` and `previous_response_id` on a create call: what is locked, joined and said."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from meanwhile import wiring
from tests.integration.web.world import World, client_of, unreachable

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "Hello", "background": True}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "42"}


async def talk(http: httpx.AsyncClient, **said: Any) -> str:
    """Make a conversation."""
    made: str = (await http.post("/conversations", json=said)).json()["id"]
    return made


async def asked(http: httpx.AsyncClient, **more: Any) -> str:
    """Create a response; return its id."""
    got = await http.post("/responses", json=ASKED | more)
    assert got.status_code == 200, got.text
    found: str = got.json()["id"]
    return found


async def said(http: httpx.AsyncClient, conversation: str) -> list[str]:
    """Return what is in a conversation, oldest first."""
    got = await http.get(f"/conversations/{conversation}/items", params={"order": "asc"})
    return [part["text"] for item in got.json()["data"] for part in item["content"]]


def holder_of(conversation: str) -> str | None:
    """Return the response that has a conversation."""
    head = wiring.threads().heads.head(conversation)
    assert head is not None
    return head.lock


@pytest.mark.parametrize("form", [str, lambda id_: {"id": id_}], ids=["id", "object"])
async def test_question_and_answer_join_when_it_ends(
    form: Any, http: httpx.AsyncClient, world: World
) -> None:
    """Named as a string or as an object, as SDKs have it; until then it holds only what was there."""
    it = await talk(http, items=[{"role": "user", "content": "Hi"}])

    response = await asked(http, conversation=form(it))
    before = await said(http, it)
    world.finish(response, "Good day")

    assert before == ["Hi"]
    assert await said(http, it) == ["Hi", "Hello", "Good day"]
    assert holder_of(it) is None


async def test_every_form_of_a_response_says_what_it_continues(http: httpx.AsyncClient, world: World) -> None:
    """As created, polled, ended, and in every event that holds one."""
    it, first = await talk(http), await asked(http)
    world.finish(first, "Good day")
    for parameter, named in (
        ({"conversation": it}, {"conversation": {"id": it}, "previous_response_id": None}),
        ({"previous_response_id": first}, {"conversation": None, "previous_response_id": first}),
    ):
        made = (await http.post("/responses", json=ASKED | parameter)).json()
        polled = (await http.get(f"/responses/{made['id']}")).json()
        world.finish(made["id"], "Good", " day")
        ended = (await http.get(f"/responses/{made['id']}")).json()
        stream = await http.get(f"/responses/{made['id']}", params={"stream": "true"})
        data = [
            line.removeprefix("data: ") for line in stream.text.splitlines() if line.startswith("data: {")
        ]
        inside = [event["response"] for event in map(json.loads, data) if "response" in event]

        assert len(inside) > 3
        assert ended["status"] == "completed"
        for shown in (made, polled, ended, *inside):
            assert {name: shown[name] for name in named} == named


@pytest.mark.parametrize("way", ["conversation", "previous_response_id"])
async def test_what_was_said_last_can_be_answered_without_more_input(
    way: str, http: httpx.AsyncClient, world: World
) -> None:
    """SDKs need not send any: the question may have been added to the conversation before."""
    question = {"role": "user", "content": "Reply with exactly: yes"}
    first = await asked(http, input=[question])
    world.finish(first, "Good day")
    it = first if way == "previous_response_id" else await talk(http, items=[question])

    got = await http.post("/responses", json={"model": "simulator-fast", "background": True, way: it})
    await asyncio.to_thread(world.work, got.json()["id"])

    answer = (await http.get(f"/responses/{got.json()['id']}")).json()
    assert answer["status"] == "completed"
    assert answer["output"][0]["content"][0]["text"] == "yes"
    assert (await http.get(f"/responses/{answer['id']}/input_items")).json()["data"] == []
    again = await asked(http, previous_response_id=answer["id"])
    assert wiring.read()("local", again)["previous_response_id"] == answer["id"]
    if way == "conversation":
        assert await said(http, it) == ["Reply with exactly: yes", "yes"]


async def test_nothing_can_be_answered_where_nothing_was_said(http: httpx.AsyncClient) -> None:
    """And nobody is kept out for having tried."""
    it = await talk(http)

    refused = await http.post("/responses", json={"model": "simulator", "conversation": it})

    error = refused.json()["error"]
    assert (refused.status_code, error["param"], error["code"]) == (
        *(400, "input"),
        "missing_required_parameter",
    )
    assert holder_of(it) is None


@pytest.mark.parametrize("call", ["list", "ids", "get", "delete", "edit", "fork"])
async def test_whoever_has_the_answer_finds_it_in_the_conversation(
    call: str, http: httpx.AsyncClient, world: World
) -> None:
    """Readers know of an end a moment before the items have joined; whoever looks then sees them joined."""
    it = await talk(http)
    response = await asked(http, conversation=it)
    world.finish(response, "Good day", mend=False)

    (item,) = (await http.get(f"/responses/{response}")).json()["output"]
    path, edit = f"/conversations/{it}", {"item": {"role": "assistant", "content": "Hi"}}
    got = {
        "list": await said(http, it) if call == "list" else None,
        "ids": await http.get(f"{path}/items?ids={item['id']}") if call == "ids" else None,
        "get": await http.get(f"{path}/items/{item['id']}") if call == "get" else None,
        "delete": await http.delete(f"{path}/items/{item['id']}") if call == "delete" else None,
        "edit": await http.post(f"{path}/items/{item['id']}", json=edit) if call == "edit" else None,
        "fork": await http.post(f"{path}/fork", json={"after": item["id"]}) if call == "fork" else None,
    }[call]

    if isinstance(got, httpx.Response):
        assert got.status_code == 200
        assert call != "ids" or got.json()["data"] == [item]
    else:
        assert got == ["Hello", "Good day"]


@pytest.mark.parametrize("mended", [True, False])
async def test_an_answer_that_is_deleted_at_once_has_joined(
    *,
    mended: bool,
    http: httpx.AsyncClient,
    world: World,
) -> None:
    """Its items are the conversation's, also for a caller who is quicker than the worker's last writes."""
    it = await talk(http)
    response = await asked(http, conversation=it)
    world.finish(response, "Good day", mend=mended)

    deleted = await http.delete(f"/responses/{response}")

    assert deleted.status_code == 200
    assert await said(http, it) == ["Hello", "Good day"]
    assert holder_of(it) is None


async def test_no_part_of_a_callers_own_id_becomes_that_of_an_item(
    http: httpx.AsyncClient, world: World
) -> None:
    """Ids stand in the clear; one that begins with a name would take it along."""
    it, output = await talk(http, items=[CALL]), OUTPUT | {"id": "anna_1"}
    question = {"role": "user", "content": "Hello", "id": "bob_1"}
    world.finish(await asked(http, conversation=it, input=[output, question]), "Good day")

    items = (await http.get(f"/conversations/{it}/items", params={"order": "asc"})).json()["data"]

    assert [item["id"].split("_")[0] for item in items] == ["fc", "fco", "msg", "msg"]
    assert not any(name in str(part["part"]) for part in world.thread_parts() for name in ("anna", "bob"))


async def test_one_response_at_a_time_runs_in_a_conversation(http: httpx.AsyncClient, world: World) -> None:
    """Not a 409, which SDKs would repeat; and whoever adds an item meanwhile hears the same."""
    it = await talk(http)
    running = await asked(http, conversation=it)
    before = world.items()

    second = await http.post("/responses", json=ASKED | {"conversation": it})
    added = await http.post(f"/conversations/{it}/items", json={"items": [{"role": "user", "content": "x"}]})

    for refused in (second, added):
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (400, "conversation_locked")
        assert error["param"] == "conversation"
    assert world.items() == before
    world.finish(running, "Good day")
    await asked(http, conversation=it)


@pytest.mark.parametrize("end", ["cancel", "fail", "unmended"])
async def test_the_lock_ends_with_its_response(end: str, http: httpx.AsyncClient, world: World) -> None:
    """However that ends, also if whoever ended it died before the head could follow."""
    it = await talk(http)
    running = await asked(http, conversation=it)

    if end == "cancel":
        await http.post(f"/responses/{running}/cancel")
    elif end == "fail":
        world.fail(running)
    else:
        world.finish(running, "Good day", mend=False)

    await asked(http, conversation=it)
    assert await said(http, it) == (["Hello", "Good day"] if end == "unmended" else [])


@pytest.mark.parametrize("call", ["Query", "BatchWriteItem"])
async def test_what_cannot_be_stored_leaves_the_conversation_free(
    call: str, http: httpx.AsyncClient, world: World
) -> None:
    """Its caller asks again, and must not be told that somebody else is first."""
    it = await talk(http)
    world.when(call, unreachable)

    failed = await http.post("/responses", json=ASKED | {"conversation": it})

    assert failed.status_code == 503
    assert holder_of(it) is None
    await asked(http, conversation=it)


async def test_what_cannot_be_let_go_either_is_free_a_minute_later(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the table is gone for both; whoever asks is told of the first of the two."""
    it = await talk(http)
    world.when("BatchWriteItem", unreachable)
    world.when("UpdateItem", unreachable, nth=2)
    failed = await http.post("/responses", json=ASKED | {"conversation": it})
    locked = await http.post("/responses", json=ASKED | {"conversation": it})

    later = wiring.now() + 61
    monkeypatch.setattr(wiring, "now", lambda: later)
    world.set()

    assert (failed.status_code, locked.json()["error"]["code"]) == (503, "conversation_locked")
    await asked(http, conversation=it)


async def test_under_a_key_a_response_joins_once(http: httpx.AsyncClient, world: World) -> None:
    """Sent again while it runs, and after its end, it neither locks nor joins again."""
    it = await talk(http)
    headers = {"idempotency-key": "k1"}

    async def send() -> httpx.Response:
        return await http.post("/responses", json=ASKED | {"conversation": it}, headers=headers)

    first, again = await send(), await send()
    world.finish(first.json()["id"], "Good day")
    after = await send()

    assert first.json()["id"] == again.json()["id"] == after.json()["id"]
    assert [each.headers.get("idempotent-replayed") for each in (first, again, after)] == [
        None,
        "true",
        "true",
    ]
    assert await said(http, it) == ["Hello", "Good day"]
    assert holder_of(it) is None


@pytest.mark.parametrize("call", ["UpdateItem", "TransactWriteItems", "SendMessage"])
async def test_under_a_key_what_broke_off_is_completed_by_its_retry(
    call: str, http: httpx.AsyncClient, world: World
) -> None:
    """Under the same id, for which the conversation may be locked already."""
    it = await talk(http)
    headers, body = {"idempotency-key": "k1"}, ASKED | {"conversation": it}
    world.when(call, unreachable)

    first = await http.post("/responses", json=body, headers=headers)
    second = await http.post("/responses", json=body, headers=headers)

    assert first.status_code == (200 if call == "SendMessage" else 503)
    assert second.status_code == 200
    assert holder_of(it) == second.json()["id"] == world.only_id()


async def test_under_a_key_a_conversation_that_was_busy_can_be_asked_for_again(
    http: httpx.AsyncClient, world: World
) -> None:
    """The key stands for the question, and the question was not answered yet."""
    it = await talk(http)
    running = await asked(http, conversation=it)
    headers, body = {"idempotency-key": "k1"}, ASKED | {"conversation": it}

    busy = await http.post("/responses", json=body, headers=headers)
    world.finish(running, "Good day")
    free = await http.post("/responses", json=body, headers=headers)

    assert (busy.json()["error"]["code"], free.status_code) == ("conversation_locked", 200)


async def test_under_a_key_items_that_are_there_are_returned_while_a_response_runs(
    http: httpx.AsyncClient, world: World
) -> None:
    """The first call's answer was lost, and somebody asked meanwhile: a 400 would say they are not there."""
    it, headers = await talk(http), {"idempotency-key": "k1"}
    path, body = f"/conversations/{it}/items", {"items": [{"role": "user", "content": "one"}]}
    first = await http.post(path, json=body, headers=headers)
    running = await asked(http, conversation=it)

    again = await http.post(path, json=body, headers=headers)
    other = await http.post(path, json=body, headers={"idempotency-key": "k2"})

    assert (again.status_code, again.json()) == (200, first.json())
    assert other.json()["error"]["code"] == "conversation_locked"
    assert holder_of(it) == running
    world.finish(running, "Good day")
    assert await said(http, it) == ["one", "Hello", "Good day"]


async def test_an_sdks_retry_is_led_to_the_response_that_holds_the_conversation(
    http: httpx.AsyncClient, world: World
) -> None:
    """Else its own first call would lock it out."""
    it = await talk(http)
    first = await asked(http, conversation=it)

    again = await http.post(
        "/responses", json=ASKED | {"conversation": it}, headers={"x-stainless-retry-count": "1"}
    )

    assert (again.status_code, again.json()["id"]) == (200, first)
    world.finish(first, "Good day")
    assert await said(http, it) == ["Hello", "Good day"]


async def test_calls_of_a_conversation_may_be_answered_by_id_alone(
    http: httpx.AsyncClient, world: World
) -> None:
    """The call stands in the thread, so that only its output is sent."""
    it, first = await talk(http, items=[CALL]), await asked(http)
    world.finish(first, "Good day")

    await asked(http, input=[OUTPUT], conversation=it)
    await asked(http, input=[OUTPUT], previous_response_id=first)
    alone = await http.post("/responses", json=ASKED | {"input": [OUTPUT]})

    assert alone.status_code == 400


@pytest.mark.parametrize(
    ("said_", "status", "param", "code"),
    [
        ({"conversation": f"conv_{'0' * 48}"}, 404, "conversation", None),
        ({"conversation": "conv_1"}, 404, "conversation", None),
        ({"conversation": "nonsense/../#"}, 404, "conversation", None),
        ({"conversation": ""}, 400, "conversation", "empty_string"),
        ({"conversation": "x" * 300}, 400, "conversation", "string_above_max_length"),
        ({"conversation": 5}, 400, "conversation", "invalid_type"),
        ({"conversation": ["conv_1"]}, 400, "conversation", "invalid_type"),
        ({"conversation": {}}, 400, "conversation.id", "missing_required_parameter"),
        ({"conversation": {"id": 5}}, 400, "conversation.id", "invalid_type"),
        ({"conversation": {"id": "conv_1", "x": 1}}, 400, "conversation.x", "unknown_parameter"),
        ({"conversation": "a\0"}, 400, "conversation", "invalid_value"),
        (
            {"previous_response_id": f"resp_{'0' * 48}"},
            400,
            "previous_response_id",
            "previous_response_not_found",
        ),
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id", "previous_response_not_found"),
        ({"previous_response_id": ""}, 400, "previous_response_id", "empty_string"),
        ({"previous_response_id": {"id": "x"}}, 400, "previous_response_id", "invalid_type"),
        ({"previous_response_id": "\ud800"}, 400, "previous_response_id", "invalid_value"),
        ({"previous_response_id": "r", "conversation": "c"}, 400, "previous_response_id", None),
        ({"conversation": "c", "input": [{"role": "user", "content": "x"}] * 901}, 400, "input", None),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k1"}], ids=["plain", "keyed"])
async def test_what_cannot_be_continued_is_named(
    said_: Any, status: int, param: str, code: str | None, headers: Any, http: httpx.AsyncClient, world: World
) -> None:
    """Nothing is stored of it but, at the most, its key."""
    got = await http.post("/responses", content=json.dumps(ASKED | said_), headers=headers)

    assert got.status_code == status
    assert (got.json()["error"]["param"], got.json()["error"]["code"]) == (param, code)
    assert {item["part"]["S"] for item in world.items()} <= {"mark"}
    assert world.thread_parts() == []


async def test_a_stranger_hears_nothing_of_a_lock(http: httpx.AsyncClient) -> None:
    """A busy conversation of another owner's is not found, like a free one."""
    it = await talk(http)
    await asked(http, conversation=it)

    async with client_of("eve") as eve:
        got = await eve.post("/responses", json=ASKED | {"conversation": it})

    assert got.status_code == 404


async def test_the_sdk_raises_its_own_errors(sdk: Any) -> None:
    """None of them is one that it repeats."""
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.create(model="simulator", input="Hi", conversation=f"conv_{'0' * 48}")
    with pytest.raises(openai.BadRequestError):
        await sdk.responses.create(model="simulator", input="Hi", previous_response_id=f"resp_{'0' * 48}")
