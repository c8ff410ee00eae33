"""Compaction by the unmodified SDK against the whole service: gateway, functions, queues, tables."""

from typing import Any

import openai
import pytest
from openai import OpenAI

from infra.local.client import LocalStack

pytestmark = pytest.mark.xdist_group("stack")

TALK: list[Any] = [
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
    {"role": "user", "content": "I live in Paris."},
    {"role": "assistant", "content": "A fine town."},
]
ASKED: Any = {"role": "user", "content": "What is my name?"}
LONG: list[Any] = [{"role": "user", "content": "My name is Ada. " + "word " * 3000}, *TALK[1:], ASKED]
OVER: list[Any] = [{"type": "compaction", "compact_threshold": 1000}]


def test_a_compacted_conversation_goes_on(sdk: OpenAI) -> None:
    """The documented way: compact, hand the output back, and ask."""
    made = sdk.responses.compact(model="simulator-fast", input=TALK)
    output: list[Any] = made.output

    answer = sdk.responses.create(model="simulator-fast", input=[*output, ASKED])

    assert (made.object, [item.type for item in made.output]) == ("response.compaction", ["compaction"])
    assert "Ada" not in output[-1].encrypted_content
    assert "My name is Ada" in answer.output_text
    assert made.usage.total_tokens > 0


def test_a_threshold_compacts_by_itself(sdk: OpenAI) -> None:
    """In a stream, as the SDK's own accumulator reads it, and in a conversation from then on."""
    talk = sdk.conversations.create(items=LONG[:-1])

    with sdk.responses.stream(
        model="simulator-fast", input=[ASKED], conversation=talk.id, context_management=OVER
    ) as stream:
        first = stream.get_final_response()
    second = sdk.responses.create(
        model="simulator-fast", input="Where do I live?", conversation=talk.id, context_management=OVER
    )

    assert [item.type for item in first.output] == ["compaction", "message"]
    assert [item.type for item in second.output] == ["message"]
    assert second.usage is not None
    assert second.usage.input_tokens < 1000
    kinds = [item.type for item in sdk.conversations.items.list(talk.id, order="asc")]
    assert kinds.count("compaction") == 1
    assert kinds[-1] == "message"


def test_nobody_else_can_use_it(sdk: OpenAI, stack: LocalStack) -> None:
    """It is sealed for its owner: another's key is told that it is none of theirs."""
    item: Any = sdk.responses.compact(model="simulator-fast", input=TALK).output[-1].to_dict()

    with (
        OpenAI(base_url=stack.url, api_key="sk-local-mallory") as mallory,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        mallory.responses.create(model="simulator-fast", input=[item, ASKED])

    assert refused.value.param == "input[0].encrypted_content"
