"""What one request costs in calls of AWS, counted where they arrive."""

import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.fake_provider import Silence, end, text
from tests.stack.talking import ask, ended, speaking
from tests.stack.upstream import Upstream
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("stack")

Counts = dict[str, int]


def test_accepting_takes_two_calls(stack: LocalStack, sdk: OpenAI) -> None:
    """Store it, and send its id. Every further call would be a further way to fail, and paid for."""
    ended(sdk, ask(sdk, "Warm up.").id)
    stack.reset_calls()

    response = ask(sdk, "Hello")

    assert calls_of(stack, "StreamFunction") == {"BatchWriteItem": 1, "SendMessage": 1}
    ended(sdk, response.id)


def test_accepting_with_a_key_takes_three_calls(stack: LocalStack, sdk: OpenAI) -> None:
    """The key first. The same call again reads, and gets the same response."""
    key = {"Idempotency-Key": "order-4711"}
    ended(sdk, ask(sdk, "Warm up.").id)
    stack.reset_calls()

    response = sdk.responses.create(model="simulator-fast", input="Hello", background=True, extra_headers=key)
    made = calls_of(stack, "StreamFunction")
    again = sdk.responses.create(model="simulator-fast", input="Hello", background=True, extra_headers=key)

    assert made == {"PutItem": 1, "TransactWriteItems": 1, "SendMessage": 1}
    assert again.id == response.id
    ended(sdk, response.id)


def test_a_poll_takes_two_calls_while_it_runs_and_one_afterwards(
    stack: LocalStack, sdk: OpenAI, upstream: Upstream
) -> None:
    """Head and log, then head and result together. The provider is silent, so that nothing ends meanwhile."""
    silence = Silence()
    response = ask(sdk, "Speak.", model=upstream.model([*text("Once "), silence, *text("more."), *end()]))
    speaking(sdk, response.id)

    stack.reset_calls()
    sdk.responses.retrieve(response.id)
    assert calls_of(stack, "StreamFunction") == {"BatchGetItem": 1, "Query": 1}

    silence.until.set()
    ended(sdk, response.id)

    def polled() -> Counts:
        stack.reset_calls()
        sdk.responses.retrieve(response.id)
        return calls_of(stack, "StreamFunction")

    assert eventually(lambda: polled() == {"BatchGetItem": 1})  # readers know a moment before the head does


def calls_of(stack: LocalStack, caller: str) -> Counts:
    """Return how often a function called each operation since the last reset."""
    counts: Counts = {}
    for call in stack.calls():
        if call["caller"] == caller:
            counts[call["operation"]] = counts.get(call["operation"], 0) + call["count"]
    return counts
