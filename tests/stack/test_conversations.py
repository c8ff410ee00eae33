"""Threads with the unmodified SDK: conversations, and responses that continue each other."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from infra.local.client import LocalStack
from tests.stack.talking import ask, ended, speaking

pytestmark = pytest.mark.xdist_group("stack")

FAST, SLOW = "simulator-fast", "simulator-slow"


def message(text: str, role: str = "user") -> Any:
    """Return an item that says something."""
    return {"type": "message", "role": role, "content": text}


def texts(items: Any) -> list[str]:
    """Return what messages say."""
    return [part.text for item in items for part in item.content]


def said(sdk: OpenAI, conversation: str) -> list[str]:
    """Return all that is in a conversation, oldest first."""
    return texts(sdk.conversations.items.list(conversation, order="asc", limit=100))


def test_a_conversation_from_its_first_item_to_its_last(sdk: OpenAI) -> None:
    """Made with items, answered in twice, listed both ways, changed, deleted: all by the SDK's own names."""
    made = sdk.conversations.create(items=[message("Be kind.", "system"), message("Hi")], metadata={"a": "b"})
    first = sdk.responses.create(model=FAST, input="Reply with exactly: one", conversation=made.id)
    second = sdk.responses.create(model=FAST, input="Reply with exactly: two", conversation={"id": made.id})

    everything = ["Be kind.", "Hi", "Reply with exactly: one", "one", "Reply with exactly: two", "two"]
    pages = sdk.conversations.items.list(made.id, order="asc", limit=2)
    assert [len(page.data) for page in pages.iter_pages()] == [2, 2, 2]
    assert said(sdk, made.id) == everything
    assert texts(sdk.conversations.items.list(made.id, limit=2)) == everything[::-1]
    for each in (first, second):
        assert each.conversation is not None
        assert each.conversation.id == made.id
        assert sdk.responses.retrieve(each.id).to_dict() == each.to_dict()

    (added,) = sdk.conversations.items.create(made.id, items=[message("And now?")]).data
    added_id = added.id or ""
    assert sdk.conversations.items.retrieve(added_id, conversation_id=made.id).to_dict() == added.to_dict()
    left = sdk.conversations.items.delete(added_id, conversation_id=made.id)
    assert (left.id, left.metadata) == (made.id, {"a": "b"})
    with pytest.raises(openai.NotFoundError):
        sdk.conversations.items.retrieve(added_id, conversation_id=made.id)
    assert said(sdk, made.id) == everything

    changed = sdk.conversations.update(made.id, metadata={"c": "d"})
    assert changed.to_dict() == sdk.conversations.retrieve(made.id).to_dict()
    assert changed.metadata == {"c": "d"}
    assert sdk.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.conversations.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.create(model=FAST, input="Hello?", conversation=made.id)


def test_a_key_makes_one_conversation(sdk: OpenAI) -> None:
    """Sent again, it is the same; and its items are in it once."""
    key = {"idempotency-key": uuid.uuid4().hex}
    first, again = (
        sdk.conversations.create(items=[message("Hi")], metadata={"a": "b"}, extra_headers=key)
        for _ in range(2)
    )

    assert first.to_dict() == again.to_dict()
    assert said(sdk, first.id) == ["Hi"]


def test_foreground_background_and_stream_are_one_conversation(sdk: OpenAI) -> None:
    """However a caller waits, what was said is there, in order, when the answer is."""
    talk = sdk.conversations.create().id

    sdk.responses.create(model=FAST, input="Reply with exactly: one", conversation=talk)
    ended(sdk, ask(sdk, "Reply with exactly: two", conversation=talk).id)
    with sdk.responses.stream(model=FAST, input="Reply with exactly: three", conversation=talk) as stream:
        streamed = stream.get_final_response()

    assert said(sdk, talk)[1::2] == ["one", "two", "three"]
    assert streamed.conversation is not None
    assert streamed.conversation.id == talk


def test_one_of_two_responses_that_race_for_a_conversation_is_told(sdk: OpenAI) -> None:
    """Two tabs ask at once: one is answered, the other hears why not, and may ask again after its end."""
    talk = sdk.conversations.create().id

    def race(number: int) -> str | openai.BadRequestError:
        try:
            return ask(sdk, f"Write 400 words about {number}.", model=SLOW, conversation=talk).id
        except openai.BadRequestError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        came = list(pool.map(race, range(2)))
    (winner,) = [each for each in came if isinstance(each, str)]
    (told,) = [each for each in came if not isinstance(each, str)]
    assert (told.code, told.param) == ("conversation_locked", "conversation")
    with pytest.raises(openai.BadRequestError, match="A response runs in conversation"):
        sdk.conversations.items.create(talk, items=[message("In between")])
    speaking(sdk, winner)
    sdk.responses.cancel(winner)

    sdk.responses.create(model=FAST, input="Reply with exactly: mine", conversation=talk)
    assert said(sdk, talk) == ["Reply with exactly: mine", "mine"]  # what was cancelled adds nothing


def test_a_chain_of_twenty_and_a_fork_from_its_middle(sdk: OpenAI) -> None:
    """Each goes on behind the one before; going on behind an older one leaves the newer as they are."""
    ids: list[str] = []
    previous: dict[str, Any] = {}
    for number in range(20):
        made: Response = sdk.responses.create(model=FAST, input=f"Reply with exactly: {number}", **previous)
        assert (made.output_text, made.previous_response_id) == (str(number), ids[-1] if ids else None)
        ids.append(made.id)
        previous = {"previous_response_id": made.id}

    fork = ask(sdk, "Reply with exactly: aside", previous_response_id=ids[9])
    aside = ended(sdk, fork.id)
    onward = sdk.responses.create(model=FAST, input="Reply with exactly: 20", previous_response_id=ids[-1])

    assert (aside.output_text, aside.previous_response_id) == ("aside", ids[9])
    assert (onward.output_text, onward.previous_response_id) == ("20", ids[-1])


def test_what_cannot_be_continued_is_refused_at_once(sdk: OpenAI) -> None:
    """By the parameter's name, and without a retry by the SDK."""
    talk, running = sdk.conversations.create().id, ask(sdk, "Write 400 words.", model=SLOW).id

    for code, said_ in (
        ("previous_response_not_found", {"previous_response_id": f"resp_{'0' * 48}"}),
        ("previous_response_not_usable", {"previous_response_id": running}),
        (None, {"previous_response_id": running, "conversation": talk}),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            sdk.responses.create(model=FAST, input="Hello", **said_)  # type: ignore[call-overload]  # from a table
        assert (refused.value.code, refused.value.param) == (code, "previous_response_id")
    sdk.responses.cancel(running)


def test_what_is_not_stored_adds_nothing(sdk: OpenAI) -> None:
    """`store: false` is a question beside the conversation, which is free again at its end."""
    talk = sdk.conversations.create(items=[message("Hi")]).id

    sdk.responses.create(model=FAST, input="Reply with exactly: psst", conversation=talk, store=False)

    assert said(sdk, talk) == ["Hi"]
    sdk.conversations.items.create(talk, items=[message("Bye")])
    assert said(sdk, talk) == ["Hi", "Bye"]


def test_a_long_conversation_goes_on_in_a_small_window(sdk: OpenAI) -> None:
    """With `auto` the oldest is dropped, and every reader is told; without, it is refused."""
    items = [message(f"{number} " + "word " * 500) for number in range(8)]
    made = sdk.conversations.create(items=items)
    small: dict[str, Any] = {
        "model": "simulator-small",
        "conversation": made.id,
        "input": "Reply with exactly: yes",
    }

    with pytest.raises(openai.BadRequestError) as refused:
        sdk.responses.create(**small)
    with sdk.responses.stream(**small, truncation="auto", max_output_tokens=1_024) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_response()

    assert refused.value.code == "context_length_exceeded"
    assert answer.output_text == "yes"
    dropped = answer.to_dict()["dropped"]
    assert isinstance(dropped, dict)
    assert (dropped["items"], dropped["first"], dropped["last"]) == (2, 0, 1)
    assert answer.usage
    assert answer.usage.input_tokens < 3_072
    assert sdk.responses.retrieve(answer.id).to_dict()["dropped"] == dropped
    assert len(said(sdk, made.id)) == 10


def test_versions_and_compression_pass_the_gateway(stack: LocalStack) -> None:
    """PATCH, ETag, If-Match and If-None-Match are headers and methods that a gateway could lose."""
    headers = {"authorization": "Bearer sk-local", "accept-encoding": "gzip"}
    with httpx.Client(base_url=stack.url, headers=headers) as http:
        made = http.post("/conversations", json={"title": "one", "items": [message("word " * 500)]})
        path, first = f"/conversations/{made.json()['id']}", made.headers["etag"]

        won = http.patch(path, json={"title": "two"}, headers={"if-match": first})
        lost = http.patch(path, json={"title": "three"}, headers={"if-match": first})
        known = http.get(path, headers={"if-none-match": won.headers["etag"]})
        items = http.get(f"{path}/items")
        found = http.get("/conversations", params={"since": "2020-01-01", "limit": 1})

    assert [each.status_code for each in (made, won, lost, known, items, found)] == [
        200,
        200,
        412,
        304,
        200,
        200,
    ]
    assert (known.content, items.headers["content-encoding"]) == (b"", "gzip")
    assert found.json()["data"][0]["title"] == "two"
