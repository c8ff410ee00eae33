"""The unmodified OpenAI SDK against the whole service: gateway, functions, queues, table."""

import asyncio
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from infra.local.client import LocalStack
from tests.fake_provider import Silence, end, says, text
from tests.stack.inside import ids_of
from tests.stack.talking import ask, ended, simulated, speaking
from tests.stack.upstream import Upstream

pytestmark = pytest.mark.xdist_group("stack")

RIVERS = "Write 80 words about rivers."
LONG = "Write 400 words about rivers."
"""Takes a slow simulator a minute."""


# ── Background ────────────────────────────────────────────────────────────────────────────────────────


def test_a_background_response_grows_until_it_is_whole(sdk: OpenAI, upstream: Upstream) -> None:
    """Whoever polls sees queued, then more and more of the text, then all of it: never less than before."""
    words = ["Once ", "upon ", "a ", "time."]
    grown = {so_far: Silence() for so_far in itertools.accumulate(words)}
    said = [step for word in zip(text(*words), grown.values(), strict=True) for step in word]
    response = ask(sdk, "Speak.", model=upstream.model([*said, *end()]))

    seen = [response]
    while seen[-1].status in {"queued", "in_progress"}:
        seen.append(sdk.responses.retrieve(response.id))
        if seen[-1].output_text:
            grown[seen[-1].output_text].until.set()  # the next word is said once this one was seen

    order = ["queued", "in_progress", "completed"]
    assert [each.status for each in seen] == sorted((str(each.status) for each in seen), key=order.index)
    assert (seen[0].status, seen[-1].status) == ("queued", "completed")
    assert [words for words, _ in itertools.groupby(each.output_text for each in seen)] == ["", *grown]
    assert seen[-1].usage is not None
    assert seen[-1].completed_at is not None


def test_cancelling_is_final_and_may_be_repeated(sdk: OpenAI) -> None:
    """A Stop button pressed twice, and a poll afterwards, all see the same cancelled response."""
    response = ask(sdk, LONG, model="simulator-slow")
    speaking(sdk, response.id)

    cancelled = sdk.responses.cancel(response.id)

    assert (cancelled.status, cancelled.output, cancelled.error) == ("cancelled", [], None)
    assert sdk.responses.cancel(response.id).to_dict() == cancelled.to_dict()
    assert sdk.responses.retrieve(response.id).to_dict() == cancelled.to_dict()


def test_a_response_cancelled_before_any_worker_took_it_stays_cancelled(sdk: OpenAI) -> None:
    """The message is still in the queue then; whoever receives it must leave the response alone."""
    response = sdk.responses.create(model="simulator-slow", input=RIVERS, background=True)

    cancelled = sdk.responses.cancel(response.id)

    assert cancelled.status == "cancelled"
    after = ask(sdk, RIVERS)
    ended(sdk, after.id)
    assert sdk.responses.retrieve(response.id).to_dict() == cancelled.to_dict()


def test_a_completed_response_cannot_be_cancelled(sdk: OpenAI) -> None:
    """The words are OpenAI's own: some clients show them."""
    response = sdk.responses.create(model="simulator-fast", input="Hello", background=True)
    ended(sdk, response.id)

    with pytest.raises(openai.BadRequestError, match=re.escape("Cannot cancel a completed response.")):
        sdk.responses.cancel(response.id)


def test_a_deleted_response_is_not_found_by_any_call(sdk: OpenAI) -> None:
    """Gone is gone: reading, cancelling, listing and deleting again say the same."""
    response = ask(sdk, "Hello")
    ended(sdk, response.id)

    sdk.responses.delete(response.id)

    for call in every_call_on(sdk, response.id):
        with pytest.raises(openai.NotFoundError) as caught:
            call()
        assert caught.value.body == not_found(response.id)


def test_a_running_response_cannot_be_deleted(sdk: OpenAI) -> None:
    """Nobody loses a running answer by mistake; it is cancelled first."""
    response = ask(sdk, LONG, model="simulator-slow")

    with pytest.raises(openai.BadRequestError, match=re.escape("Cannot delete an in-flight response.")):
        sdk.responses.delete(response.id)

    sdk.responses.cancel(response.id)
    sdk.responses.delete(response.id)


# ── Foreground ────────────────────────────────────────────────────────────────────────────────────────


def test_a_foreground_call_returns_the_whole_answer(sdk: OpenAI) -> None:
    """The default call of the SDK; the answer can be read again by its id."""
    response = sdk.responses.create(model="simulator", input="What is 6 times 7?")

    assert (response.status, response.background) == ("completed", False)
    assert response.output_text == simulated("What is 6 times 7?")
    assert sdk.responses.retrieve(response.id).to_dict() == response.to_dict()


def test_a_caller_that_waits_hears_signs_of_life(stack: LocalStack, upstream: Upstream) -> None:
    """API Gateway cuts a silent connection: new lines come long before the answer, and JSON allows them."""
    silence = Silence()
    body = {"model": upstream.model([silence, *says("Here I am.")]), "input": "Anybody there?"}

    with httpx.stream(
        "POST", f"{stack.url}/responses", json=body, headers={"authorization": "Bearer sk-local"}, timeout=20
    ) as answer:
        pieces = answer.iter_raw()
        signs = b""
        while len(signs) < 2:
            signs += next(pieces)
        silence.until.set()
        rest = b"".join(pieces)

    assert set(signs) == set(b"\n")
    assert json.loads(signs + rest)["status"] == "completed"


def test_a_caller_that_leaves_finds_the_answer_later(stack: LocalStack, upstream: Upstream) -> None:
    """The queue owns the work, never the socket. The owner is this test's alone, so one head is theirs."""
    silence = Silence()
    model = upstream.model([*text("Still "), silence, *text("here."), *end()])
    key = {"authorization": "Bearer sk-local-leaver"}

    with httpx.stream(
        "POST", f"{stack.url}/responses", json={"model": model, "input": "Hello?"}, headers=key
    ) as answer:
        assert answer.status_code == 200
        assert silence.reached.wait(10)
    silence.until.set()

    (response_id,) = ids_of(stack, "leaver")
    with OpenAI(base_url=stack.url, api_key="sk-local-leaver") as leaver:
        assert ended(leaver, response_id).output_text == "Still here."


# ── What was asked ────────────────────────────────────────────────────────────────────────────────────


def test_the_input_is_listed_the_newest_first_in_pages(sdk: OpenAI) -> None:
    """The SDK follows the pages by itself; ids stay the same from call to call."""
    said = [f"This is message {number}." for number in range(7)]
    items: Any = [{"role": "user", "content": text} for text in said]
    response = sdk.responses.create(model="simulator-fast", input=items, background=True)

    newest_first = list(sdk.responses.input_items.list(response.id, limit=3))
    oldest_first = list(sdk.responses.input_items.list(response.id, limit=3, order="asc"))
    page = sdk.responses.input_items.list(response.id, limit=3, order="asc", after=oldest_first[1].id)

    assert [text_in(item) for item in oldest_first] == said
    assert newest_first == oldest_first[::-1]
    assert page.data == oldest_first[2:5]
    assert page.has_more is True


def test_a_plain_question_is_listed_as_one_message(sdk: OpenAI) -> None:
    """A client that shows a conversation need not know in which form it was asked."""
    response = ask(sdk, "How are you?")

    (item,) = sdk.responses.input_items.list(response.id)

    assert (item.type, getattr(item, "role", None), text_in(item)) == ("message", "user", "How are you?")


def test_instructions_and_metadata_come_back_and_the_model_reads_instructions(sdk: OpenAI) -> None:
    """Metadata is how clients find their own records again."""
    response = sdk.responses.create(
        model="simulator-fast",
        input="What is the password?",
        instructions="The password is swordfish.",
        metadata={"chat": "42"},
    )

    assert response.instructions == "The password is swordfish."
    assert response.metadata == {"chat": "42"}
    assert "swordfish" in response.output_text
    assert sdk.responses.retrieve(response.id).metadata == {"chat": "42"}


def test_an_answer_cut_by_its_token_limit_is_incomplete(sdk: OpenAI) -> None:
    """The text so far is kept, and the reason said."""
    response = sdk.responses.create(model="simulator-fast", input=RIVERS, max_output_tokens=16)

    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text
    assert simulated(RIVERS).startswith(response.output_text)
    assert response.usage is not None
    assert response.usage.output_tokens == 16


# ── Tools and structured output ───────────────────────────────────────────────────────────────────────


def test_functions_are_called_in_parallel_and_their_outputs_answered(sdk: OpenAI) -> None:
    """Two calls come out, both outputs go in with them, and the final answer holds both."""
    tools: Any = [function("get_weather", city="string"), function("get_time", city="string")]
    question: Any = {"role": "user", "content": "What are the weather and the time in Paris?"}
    first = sdk.responses.create(model="simulator-fast", input=[question], tools=tools, background=True)

    called = ended(sdk, first.id)

    calls: Any = called.output
    assert [each.type for each in calls] == ["function_call", "function_call"]
    assert {each.name for each in calls} == {"get_weather", "get_time"}
    assert len({each.call_id for each in calls}) == 2
    assert all("city" in json.loads(each.arguments) for each in calls)
    outputs = [
        {"type": "function_call_output", "call_id": each.call_id, "output": f"result of {each.name}"}
        for each in calls
    ]
    asked_again: Any = [question, *(each.to_dict() for each in calls), *outputs]
    final = sdk.responses.create(model="simulator-fast", input=asked_again, tools=tools)
    assert final.status == "completed"
    assert "result of get_weather" in final.output_text
    assert "result of get_time" in final.output_text


class City(BaseModel):
    """What the SDK is to parse."""

    name: str
    inhabitants: int
    rivers: list[str]


def test_the_sdk_parses_a_structured_answer(sdk: OpenAI) -> None:
    """`responses.parse` sends a JSON Schema and builds the model from the text."""
    response = sdk.responses.parse(model="simulator-fast", input="Tell me about Paris.", text_format=City)

    assert isinstance(response.output_parsed, City)


def test_a_json_schema_is_kept_in_the_background_too(sdk: OpenAI) -> None:
    """There is no `parse` for polled answers: the text itself must be JSON of that shape."""
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"],
              "additionalProperties": False}  # fmt: skip
    response = ask(
        sdk,
        "What is 6 times 7?",
        text={"format": {"type": "json_schema", "name": "sum", "schema": schema, "strict": True}},
    )

    answer = json.loads(ended(sdk, response.id).output_text)

    assert list(answer) == ["answer"]
    assert isinstance(answer["answer"], int)


# ── Who may ask for what ──────────────────────────────────────────────────────────────────────────────


def test_another_owners_response_is_not_found_by_any_call(sdk: OpenAI, stack: LocalStack) -> None:
    """A stranger with the id learns as much as one who made it up."""
    response = ask(sdk, LONG, model="simulator-slow")

    with OpenAI(base_url=stack.url, api_key="sk-local-stranger") as stranger:
        for call in every_call_on(stranger, response.id):
            with pytest.raises(openai.NotFoundError) as caught:
                call()
            assert caught.value.body == not_found(response.id)

    assert sdk.responses.retrieve(response.id).status in {"queued", "in_progress"}
    sdk.responses.cancel(response.id)


def test_an_unknown_key_is_refused(stack: LocalStack) -> None:
    """Both functions check it: those that stream, and those that do not."""
    with OpenAI(base_url=stack.url, api_key="sk-wrong") as nobody:
        for call in (lambda: ask(nobody, "Hello"), nobody.models.list):
            with pytest.raises(openai.AuthenticationError) as caught:
                call()
            assert caught.value.code == "invalid_api_key"


def test_a_malformed_request_names_what_is_wrong(sdk: OpenAI) -> None:
    """The SDK raises without a retry, and the caller reads which parameter it was."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, "Hello", temperature=3)

    assert caught.value.param == "temperature"


def test_the_models_are_listed(sdk: OpenAI) -> None:
    """Clients fill their menus with it; each can be looked up, and an unknown one cannot."""
    names = [model.id for model in sdk.models.list()]

    assert {"simulator", "simulator-slow", "simulator-fast"} <= set(names)
    assert sdk.models.retrieve("simulator").id == "simulator"


# ── The client itself ─────────────────────────────────────────────────────────────────────────────────


def test_the_async_client_asks_many_at_once(stack: LocalStack) -> None:
    """A worker takes them together; nobody's answer gets into another's."""

    async def all_of_them() -> list[Response]:
        async with AsyncOpenAI(base_url=stack.url, api_key="sk-local") as client:
            asked = [
                client.responses.create(model="simulator", input=f"Say exactly: number {number}")
                for number in range(8)
            ]
            return await asyncio.gather(*asked)

    responses = asyncio.run(all_of_them())

    assert [response.output_text for response in responses] == [f"number {number}" for number in range(8)]


def test_every_answer_has_a_request_id(sdk: OpenAI) -> None:
    """What a user quotes to support; the SDK shows it on objects and on errors alike."""
    raw = sdk.responses.with_raw_response.create(model="simulator-fast", input="Hello", background=True)

    assert raw.status_code == 200
    assert raw.headers["x-request-id"]
    assert raw.headers["openai-poll-after-ms"]
    assert sdk.responses.retrieve(raw.parse().id)._request_id
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.responses.retrieve("resp_unknown")
    assert caught.value.request_id


def every_call_on(sdk: OpenAI, response_id: str) -> list[Callable[[], object]]:
    """Return every operation there is on a response."""
    return [
        lambda: sdk.responses.retrieve(response_id),
        lambda: sdk.responses.cancel(response_id),
        lambda: sdk.responses.delete(response_id),
        lambda: sdk.responses.input_items.list(response_id),
    ]


def not_found(response_id: str) -> dict[str, object]:
    """Return the body of the error, without its envelope, as the SDK shows it."""
    return {
        "message": f"Response with id '{response_id}' not found.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def text_in(item: Any) -> str:
    """Return the text of an input message."""
    return "".join(part.text for part in item.content)


def function(name: str, **properties: str) -> dict[str, Any]:
    """Return a function tool that takes these properties, by type."""
    return {
        "type": "function",
        "name": name,
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {key: {"type": kind} for key, kind in properties.items()},
            "required": list(properties),
            "additionalProperties": False,
        },
    }
