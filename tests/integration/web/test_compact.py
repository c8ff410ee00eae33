"""`POST /responses/compact`, compaction items as input, and a threshold, as callers see them."""

import asyncio
import json
import logging
from typing import Any

import httpx
import openai
import pytest

from meanwhile import api, wiring
from meanwhile import worker as worker_parts
from meanwhile.domain.compaction import Compaction
from meanwhile.domain.continuation import Beginning
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Status
from tests.integration.web.world import World, client_of
from tests.support.vocabulary import vocabularies

pytestmark = pytest.mark.anyio

TALK = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
    {"role": "user", "content": "I live in Paris."},
    {"role": "assistant", "content": "A fine town."},
]
ASKED: dict[str, Any] = {"model": "simulator-fast", "input": TALK}


@pytest.fixture(autouse=True)
def counted_by_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count by a small vocabulary."""
    del world
    monkeypatch.setattr(wiring, "vocabularies", vocabularies)


@pytest.fixture
def worker(world: World) -> World:
    """Return the world, with a worker who takes up the next response."""
    world.when("Query", lambda: world.work(world.only_id()), nth=2)
    return world


async def compacted(http: httpx.AsyncClient, world: World, **more: Any) -> dict[str, Any]:
    """Return the answer of a call that a worker serves."""
    world.when("Query", lambda: world.work(world.only_id()), nth=2)
    answer = await http.post("/responses/compact", json=ASKED | more)
    assert answer.status_code == 200
    world.clear()
    found: dict[str, Any] = answer.json()
    return found


def opened(item: dict[str, Any], owner: str = "local") -> Any:
    """Return what a compaction item says."""
    return wiring.expand().compactions.open(owner, item["encrypted_content"])


# ── On demand ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("worker")
async def test_a_conversation_becomes_short(sdk: Any) -> None:
    """One item, of the SDK's own type."""
    made = await sdk.responses.compact(**ASKED)

    (item,) = made.output
    assert (made.object, made.id[:5], item.type, item.id[:4]) == (
        "response.compaction",
        "resp_",
        "compaction",
        "cmp_",
    )
    said = opened(item.to_dict())
    assert "My name is Ada." in said.summary
    assert "I live in Paris." in said.summary
    assert [each["content"][0]["text"] for each in said.kept] == ["Be brief."]
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens > 0


async def test_the_output_can_be_given_back_as_it_is(http: httpx.AsyncClient, world: World) -> None:
    """The model is told what the summary says, and nothing that stands before the item."""
    made = await compacted(http, world)
    world.when("Query", lambda: world.work(world.only_id()), nth=2)
    items = [*TALK, *made["output"], {"role": "user", "content": "What is my name?"}]

    answer = (await http.post("/responses", json=ASKED | {"input": items})).json()

    assert "Ada" in answer["output"][0]["content"][0]["text"]
    shown = (await http.get(f"/responses/{answer['id']}/input_items")).json()["data"]
    assert [each["type"] for each in shown] == ["message", "compaction", *["message"] * 5]


async def test_it_is_counted_as_what_it_stands_for(http: httpx.AsyncClient, world: World) -> None:
    """Not as the letters that it is written in."""
    item = (await compacted(http, world))["output"][-1]
    expanded = wiring.expand()("local", item)

    sealed = await http.post(
        "/responses/input_tokens", json={"model": "simulator-fast", "input": [*TALK, item]}
    )
    plain = await http.post("/responses/input_tokens", json={"model": "simulator-fast", "input": expanded})

    assert sealed.json() == plain.json()


async def test_nothing_of_it_is_listed_and_little_is_kept(http: httpx.AsyncClient, worker: World) -> None:
    """It is no response to its caller; as one that is not stored it goes ten minutes after its end."""
    made = (await http.post("/responses/compact", json=ASKED)).json()

    assert (await http.get("/responses")).json()["data"] == []
    (head,) = [each for each in worker.items() if each["part"]["S"] == "head"]
    assert float(head["expires_at"]["N"]) <= wiring.now() + wiring.settings().unstored_retention_seconds
    assert head["response_id"]["S"] == made["id"]


async def test_nothing_of_it_lies_in_the_clear(http: httpx.AsyncClient, worker: World) -> None:
    """Neither with us nor with the caller."""
    made = await http.post("/responses/compact", json=ASKED)

    stored = repr(worker.items())
    assert "Ada" not in stored
    assert "Ada" not in made.json()["output"][-1]["encrypted_content"]


async def test_an_agent_may_compact_in_the_middle_of_a_task(http: httpx.AsyncClient, world: World) -> None:
    """A call without an output is kept, and its output is taken behind the item."""
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    item = (await compacted(http, world, input=[*TALK, call]))["output"][-1]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "It rains."}
    asked = {"model": "simulator-fast", "background": True}

    taken = await http.post("/responses", json=asked | {"input": [item, output]})
    refused = await http.post("/responses", json=asked | {"input": [item]})
    other = await http.post("/responses", json=asked | {"input": [item, output | {"call_id": "call_2"}]})

    assert taken.status_code == 200
    assert (refused.status_code, other.status_code) == (400, 400)
    assert "call_1" in refused.json()["error"]["message"]
    assert "call_2" in other.json()["error"]["message"]


async def test_a_retry_attaches_to_the_compaction_that_runs(http: httpx.AsyncClient, world: World) -> None:
    """The SDK sends a call again that took too long; it must not be paid for twice."""
    world.set(wait_limit_seconds=0.05)
    first = await http.post("/responses/compact", json=ASKED)
    world.set(wait_limit_seconds=5)
    await asyncio.to_thread(world.work, world.only_id())

    again = await http.post("/responses/compact", json=ASKED, headers={"x-stainless-retry-count": "1"})

    assert (first.json()["output"], first.json()["error"]["code"]) == ([], "compaction_unfinished")
    assert (again.status_code, again.json()["id"]) == (200, world.only_id())


async def test_a_create_call_with_the_same_body_is_another_call(
    http: httpx.AsyncClient, world: World
) -> None:
    """A key or a retry of the one never answers the other."""
    await compacted(http, world)
    key = {"idempotency-key": "one"}

    made = await http.post("/responses", json=ASKED | {"background": True}, headers=key)
    refused = await http.post("/responses/compact", json=ASKED, headers=key)

    assert made.json()["status"] == "queued"
    assert refused.json()["error"]["code"] == "idempotency_key_reused"


# ── What can be wrong ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "Hello"}, "model"),
        ({"model": None, "input": "Hello"}, "model"),
        ({"model": "nobody", "input": "Hello"}, "model"),
        ({"model": "simulator"}, "input"),
        ({"model": "simulator-fast", "input": []}, "input"),
        ({"model": "simulator-fast", "input": "x", "tools": []}, "tools"),
        ({"model": "simulator-fast", "input": [{"type": "compaction"}]}, "input[0].encrypted_content"),
        ({"model": "simulator-fast", "input": [{"type": "compaction_trigger"}]}, "input[0].type"),
        ({"model": "simulator-fast", "input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named(
    body: dict[str, Any], param: str, http: httpx.AsyncClient, world: World
) -> None:
    """And nothing is stored."""
    refused = await http.post("/responses/compact", json=body)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert world.items() == []


@pytest.mark.parametrize("path", ["/responses", "/responses/compact", "/responses/input_tokens"])
@pytest.mark.parametrize("whose", ["another owner's", "altered", "made up"])
async def test_only_what_we_gave_this_owner_is_taken(path: str, whose: str, world: World) -> None:
    """Refused by name and before anything is stored, whatever is the matter with it."""
    content = wiring.expand().compactions.close("local", Compaction(summary="Secret.", kept=[]))
    if whose == "altered":
        content = content[:-8] + ("A" if content[-8] != "A" else "B") + content[-7:]
    elif whose == "made up":
        content = "U2VjcmV0Lg=="
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": content}
    body = {"model": "simulator-fast", "input": [TALK[0], item]}

    async with client_of("mallory" if whose == "another owner's" else "local") as caller:
        refused = await caller.post(path, json=body)

    error = refused.json()["error"]
    assert (refused.status_code, error["param"]) == (400, "input[1].encrypted_content")
    assert "Secret" not in refused.text
    assert world.items() == []


async def test_it_opens_after_the_owners_key_was_rotated(http: httpx.AsyncClient, world: World) -> None:
    """Callers keep these items for as long as their conversations."""
    item = (await compacted(http, world))["output"][-1]
    wiring.keyring().rotate("local")

    taken = await http.post("/responses", json=ASKED | {"input": [item], "background": True})

    assert taken.status_code == 200


async def test_it_opens_no_more_once_its_owner_is_deleted(world: World) -> None:
    """Destroyed is destroyed, also what lies with callers."""
    del world
    content = wiring.expand().compactions.close("gone", Compaction(summary="Secret.", kept=[]))
    wiring.keyring().destroy("gone")
    item = {"type": "compaction", "encrypted_content": content}

    async with client_of("gone") as caller:
        refused = await caller.post("/responses", json=ASKED | {"input": [item], "background": True})

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "owner_deleted")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("provider_rejected", 400),
        ("invalid_request", 400),
        ("conversation_not_found", 400),
        ("provider_error", 500),
        ("deadline_exceeded", 500),
    ],
)
async def test_what_fails_soon_has_a_status_of_its_own(
    sdk: Any, world: World, code: str, status: int
) -> None:
    """As an error of the SDK's, and not asked for again behind the caller's back."""
    end = Ended(status=Status.FAILED, at=int(wiring.now()), code=code, message="It broke.")
    world.when("Query", lambda: wiring.ending().decide(world._head(world.only_id()), end), nth=2)

    with pytest.raises(openai.APIStatusError) as failed:
        await sdk.responses.compact(**ASKED)

    assert (failed.value.status_code, failed.value.body["code"]) == (status, code)  # type: ignore[index]  # the body of an error
    assert failed.value.body["message"] == "It broke."  # type: ignore[index]
    assert failed.value.response.headers["x-should-retry"] == "false"


async def test_one_that_is_cancelled_says_so(http: httpx.AsyncClient, world: World) -> None:
    """`cancel_all` ends it, too: it costs what every call of a model costs."""
    world.when("Query", lambda: api.cancel_all()("local"), nth=2)

    refused = await http.post("/responses/compact", json=ASKED)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "compaction_cancelled")


async def test_a_long_wait_shows_signs_of_life(http: httpx.AsyncClient, world: World) -> None:
    """The first are held back, for a failure that comes soon; from then on there are new lines."""
    world.set(keep_alive_seconds=0)
    world.when("BatchGetItem", lambda: world.work(world.only_id()), nth=6)

    made = await http.post("/responses/compact", json=ASKED)

    assert made.text.startswith("\n")
    assert made.json()["output"][-1]["type"] == "compaction"


async def test_a_failure_behind_signs_of_life_is_in_the_body(sdk: Any, world: World) -> None:
    """The status has been sent by then: an empty output is no compaction, and the reason stands beside."""
    world.set(keep_alive_seconds=0)
    world.when("BatchGetItem", lambda: world.fail(world.only_id()), nth=6)

    made = await sdk.responses.compact(**ASKED)

    assert made.output == []
    assert made.error["code"] == "provider_error"
    assert made.usage.total_tokens == 0


async def test_no_word_of_it_is_logged(
    http: httpx.AsyncClient, worker: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither of the conversation nor of its summary."""
    del worker
    caplog.set_level(logging.DEBUG, "meanwhile")

    await http.post("/responses/compact", json=ASKED)

    assert caplog.records
    assert not [each for each in caplog.records if "Ada" in json.dumps(vars(each), default=str)]


@pytest.mark.parametrize(
    "item",
    [
        {"role": "developer", "content": "Be brief."},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ],
    ids=["rules", "thoughts"],
)
async def test_where_nobody_has_said_anything_there_is_nothing_to_compact(
    item: Any, http: httpx.AsyncClient, worker: World
) -> None:
    """A model that is given an empty record makes one up, and somebody would pay for it."""
    refused = await http.post("/responses/compact", json=ASKED | {"input": [item]})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "nothing_to_compact")
    assert worker.only_id()


# ── With a threshold ──────────────────────────────────────────────────────────────────────────────────


def over(threshold: int | None = 1000) -> dict[str, Any]:
    """Return the parameter."""
    return {"context_management": [{"type": "compaction", "compact_threshold": threshold}]}


LONG = [{"role": "user", "content": "My name is Ada. " + "word " * 3000}, *TALK[2:], TALK[1]]


@pytest.mark.usefixtures("worker")
async def test_what_is_too_long_is_compacted_by_itself(sdk: Any) -> None:
    """The item comes first in the output, and the answer behind it."""
    made = await sdk.responses.create(model="simulator-fast", input=LONG, **over())

    assert [item.type for item in made.output] == ["compaction", "message"]
    assert made.output_text
    assert (await sdk.responses.retrieve(made.id)).to_dict() == made.to_dict()


async def test_the_stream_tells_of_it(sdk: Any, world: World) -> None:
    """Two events of the SDK's own types, before the message."""
    world.when("Query", lambda: world.work(world.only_id()), nth=2)

    stream = await sdk.responses.create(model="simulator-fast", input=LONG, stream=True, **over())
    told = [event async for event in stream]

    items = [(event.type, event.item.type) for event in told if hasattr(event, "item")]
    assert items == [
        ("response.output_item.added", "compaction"),
        ("response.output_item.done", "compaction"),
        ("response.output_item.added", "message"),
        ("response.output_item.done", "message"),
    ]
    assert told[-1].response.output[0].type == "compaction"


@pytest.mark.usefixtures("worker")
async def test_what_is_not_too_long_is_not(sdk: Any) -> None:
    """The threshold is in tokens."""
    made = await sdk.responses.create(model="simulator-fast", input=LONG, **over(100_000))

    assert [item.type for item in made.output] == ["message"]


SMALL = "simulator-small"
"""4,096 tokens, of which a quarter is the answer's."""


@pytest.mark.parametrize("threshold", [None, 4_000], ids=["default", "above the room"])
async def test_what_would_leave_no_room_for_the_answer_is_compacted(
    threshold: int | None, http: httpx.AsyncClient, world: World
) -> None:
    """Whatever number is given: refused, a conversation that has outgrown the room could never go on."""
    first = await said(http, world, model=SMALL, input=LONG[:1])
    more: dict[str, Any] = {"model": SMALL, "previous_response_id": first["id"], "input": "word " * 200}
    plain = await http.post("/responses", json=more)

    second = await said(http, world, **more, **over(threshold))

    assert plain.json()["error"]["code"] == "context_length_exceeded"
    assert [item["type"] for item in second["output"]] == ["compaction", "message"]
    assert second["status"] == "completed"


async def test_what_has_outgrown_the_room_for_an_answer_can_be_compacted(
    http: httpx.AsyncClient, world: World
) -> None:
    """A summary needs less; what leaves no room for that either is refused."""
    talk = [{"role": "user", "content": "word " * 1_600}, {"role": "assistant", "content": "word " * 1_600}]
    longer = [*talk, {"role": "user", "content": "word " * 1_600}]

    plain = await http.post("/responses", json={"model": SMALL, "input": talk})
    too_much = await http.post("/responses/compact", json={"model": SMALL, "input": longer})
    made = await compacted(http, world, model=SMALL, input=talk)

    assert [each.json()["error"]["code"] for each in (plain, too_much)] == ["context_length_exceeded"] * 2
    assert len(made["output"]) == 1


async def test_a_question_too_long_for_an_answer_is_refused_with_a_threshold_too(
    http: httpx.AsyncClient, world: World
) -> None:
    """It cannot be summed up; nor can it be dropped."""
    asked = {"model": SMALL, "input": [*TALK, {"role": "user", "content": "word " * 3_200}]}

    for truncation in ("disabled", "auto"):
        refused = await http.post("/responses", json=asked | over() | {"truncation": truncation})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert world.items() == []


async def test_a_thread_that_nobody_has_answered_fails_where_it_leaves_no_room(
    http: httpx.AsyncClient, world: World
) -> None:
    """Nothing in it can be summed up; `auto` drops from it as ever."""
    items = [{"role": "user", "content": "word " * 1_600}] * 2
    talk = (await http.post("/conversations", json={"items": items})).json()["id"]
    asked = {"model": SMALL, "input": "So?", "conversation": talk}

    kept = await said(http, world, **asked, **over())
    cut = await said(http, world, **asked, **over(), truncation="auto")

    assert (kept["status"], kept["error"]["code"]) == ("failed", "context_length_exceeded")
    assert (cut["status"], cut["dropped"]["items"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("entries", "param"),
    [
        ([{"type": "compaction", "compact_threshold": 999}], "context_management[0].compact_threshold"),
        ([{"type": "compaction", "compact_threshold": "9"}], "context_management[0].compact_threshold"),
        ([{"type": "compaction", "compact_threshold": None}], "context_management[0].compact_threshold"),
        ([{"type": "compaction", "x": 1, "compact_threshold": 1000}], "context_management[0].x"),
        ([{"type": "other", "compact_threshold": 1000}], "context_management[0].type"),
        ([{"compact_threshold": 1000}], "context_management[0].type"),
        ([*over()["context_management"]] * 2, "context_management"),
        ({"type": "compaction"}, "context_management"),
    ],
    ids=str,
)
async def test_a_wrong_threshold_is_named(
    entries: Any, param: str, http: httpx.AsyncClient, world: World
) -> None:
    """And nothing is stored."""
    refused = await http.post("/responses", json=ASKED | {"context_management": entries})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert world.items() == []


# ── In a thread ───────────────────────────────────────────────────────────────────────────────────────


async def said(http: httpx.AsyncClient, world: World, **asked: Any) -> dict[str, Any]:
    """Ask in the background, let the worker answer, and return the response."""
    made = (
        await http.post("/responses", json={"model": "simulator-fast", "background": True} | asked)
    ).json()
    assert "id" in made, made
    await asyncio.to_thread(world.work, made["id"])
    found: dict[str, Any] = (await http.get(f"/responses/{made['id']}")).json()
    return found


async def test_what_a_response_continues_is_compacted_with_it(http: httpx.AsyncClient, world: World) -> None:
    """The thread is summed up where it stands; nothing of it is changed, or added to it."""
    first = await said(http, world, input="My name is Ada.")
    asked = {"model": "simulator-fast", "previous_response_id": first["id"]}
    world.set(wait_limit_seconds=0.05)
    made = (await http.post("/responses/compact", json=asked)).json()
    await asyncio.to_thread(world.work, made["id"])
    world.set(wait_limit_seconds=5)

    again = await http.post("/responses/compact", json=asked, headers={"x-stainless-retry-count": "1"})

    (item,) = again.json()["output"]
    assert "My name is Ada." in opened(item).summary
    refused = await http.post("/responses/compact", json=asked | {"previous_response_id": made["id"]})
    assert refused.json()["error"]["code"] == "previous_response_not_found"


async def test_a_compaction_joins_its_conversation_and_stands_for_what_is_before(
    http: httpx.AsyncClient, world: World
) -> None:
    """The originals stay to be read; the next response is shown the summary in their place."""
    talk = (await http.post("/conversations", json={"items": LONG})).json()["id"]
    first = await said(http, world, input="Where do I live?", conversation=talk, **over())
    counted = await http.post(
        "/responses/input_tokens", json={"model": "simulator-fast", "conversation": talk, "input": "So?"}
    )
    second = await said(http, world, input="What is my name?", conversation=talk, **over())

    items = (await http.get(f"/conversations/{talk}/items", params={"order": "asc"})).json()["data"]
    assert [item["type"] for item in first["output"]] == ["compaction", "message"]
    assert [item["type"] for item in second["output"]] == ["message"]
    assert [item["type"] for item in items] == ["message"] * 6 + ["compaction"] + ["message"] * 3
    assert "Ada" in second["output"][0]["content"][0]["text"]
    assert counted.json()["input_tokens"] < 1000
    assert second["usage"]["input_tokens"] < 1000


async def test_what_is_pinned_is_shown_word_for_word_beside_a_compaction(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is always in: also in the very answer whose conversation is summed up first."""
    asked: list[Request] = []

    def overheard(request: Request, beginning: Beginning) -> Any:
        asked.append(request)
        return ask(request, beginning)

    ask = worker_parts.ask()
    monkeypatch.setattr(worker_parts, "ask", lambda: overheard)
    rule = {"role": "user", "content": "Never mention xyzzy."}
    talk = (await http.post("/conversations", json={"items": [rule, *LONG]})).json()["id"]
    listed = await http.get(f"/conversations/{talk}/items", params={"order": "asc", "limit": 1})
    await http.patch(f"/conversations/{talk}", json={"pinned": [listed.json()["data"][0]["id"]]})

    first = await said(http, world, input="Where do I live?", conversation=talk, **over())
    await said(http, world, input="And who am I?", conversation=talk)

    assert [item["type"] for item in first["output"]] == ["compaction", "message"]
    told = [[item["content"][0]["text"][:20] for item in each.input] for each in asked]
    assert told[1] == ["Never mention xyzzy.", "This is a summary of", "My name is Ada.", "Where do I live?"]
    assert told[2][:4] == told[1]


async def test_an_answer_is_counted_from_its_compaction_on(http: httpx.AsyncClient, world: World) -> None:
    """Also while nothing has continued it, and it is in no thread yet."""
    first = await said(http, world, input=LONG, **over())
    more = {"model": "simulator-fast", "input": "So?"}
    plain = {"role": "assistant", "content": first["output"][1]["content"][0]["text"]}
    whole = [*wiring.expand()("local", first["output"][0]), plain, {"role": "user", "content": "So?"}]

    continued = await http.post("/responses/input_tokens", json=more | {"previous_response_id": first["id"]})

    spelt_out = await http.post("/responses/input_tokens", json=more | {"input": whole})
    assert continued.json() == spelt_out.json()


async def test_a_conversation_takes_only_compactions_of_its_owner(
    http: httpx.AsyncClient, world: World
) -> None:
    """As items of a new one, added to it, or in place of another."""
    content = wiring.expand().compactions.close("mallory", Compaction(summary="x", kept=[]))
    bad = {"type": "compaction", "encrypted_content": content}
    made = (await http.post("/conversations", json={"items": [TALK[1]]})).json()["id"]
    (item,) = (await http.get(f"/conversations/{made}/items")).json()["data"]

    refusals = [
        await http.post("/conversations", json={"items": [bad]}),
        await http.post(f"/conversations/{made}/items", json={"items": [bad]}),
        await http.post(f"/conversations/{made}/items/{item['id']}", json={"item": bad}),
    ]

    del world
    assert [each.status_code for each in refusals] == [400, 400, 400]
    assert [each.json()["error"]["param"] for each in refusals] == [
        "items[0].encrypted_content",
        "items[0].encrypted_content",
        "item[0].encrypted_content",
    ]
