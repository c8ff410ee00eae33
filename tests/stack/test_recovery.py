"""Processes die, stand still and lose their messages; what was accepted is answered all the same."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from openai import OpenAI
from openai.types.responses import Response

from infra.local.client import LocalStack
from meanwhile.domain.log import facts_of, tip_of
from meanwhile.domain.response import Ended
from tests.fake_provider import Silence, Step, end, says, text
from tests.stack.conftest import SLOTS_OF_FRAGILE
from tests.stack.inside import ids_of, log_of, lose_every_message, lose_message, parts_of
from tests.stack.talking import ask, ended, error_of, simulated, speaking, statuses, texts, when
from tests.stack.upstream import Upstream
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("fragile")

RIVERS = "Write 12 words about rivers."
LAKES = "Write 8 words about lakes."
"""They take the slow simulator a few seconds: time enough to kill it in mid-sentence."""
LONG = "Write 400 words about rivers."
"""Takes it more than a minute."""
AT_LENGTH = "Write 300 words about rivers."
FOR_EVER = "Write 2000 words about rivers."
"""At full speed they take four seconds, and half a minute."""


# ── Killed at work ────────────────────────────────────────────────────────────────────────────────────


def test_the_answers_of_a_killed_worker_are_gone_on_with(fragile: LocalStack, fragile_sdk: OpenAI) -> None:
    """All of its responses come back, polled or waited for: the same message, no word lost, none repeated."""
    with ThreadPoolExecutor() as waiting:
        polled = ask(fragile_sdk, RIVERS, model="simulator-slow")
        waited = waiting.submit(fragile_sdk.responses.create, model="simulator-slow", input=LAKES)
        before = speaking(fragile_sdk, polled.id)

        assert fragile.kill("WorkerFunction")

        both = [(RIVERS, ended(fragile_sdk, polled.id)), (LAKES, waited.result(20))]
    for question, response in both:
        assert response.status == "completed"
        assert response.output_text == simulated(question)
        assert (statuses(response), texts(response)) == (["completed"], [simulated(question)])
        assert said_once(fragile, response)
    assert [item.id for item in both[0][1].output] == [item.id for item in before.output]


def test_the_answer_of_a_model_that_cannot_go_on_is_said_again(
    fragile: LocalStack, fragile_sdk: OpenAI
) -> None:
    """What the killed worker had half said is given up, wordless, and another message says all of it."""
    response = ask(fragile_sdk, AT_LENGTH, model="simulator-restarts")
    speaking(fragile_sdk, response.id)

    assert fragile.kill("WorkerFunction")

    found = ended(fragile_sdk, response.id)
    assert (statuses(found), texts(found)) == (["incomplete", "completed"], ["", simulated(AT_LENGTH)])
    assert said_once(fragile, found)


def test_a_worker_killed_as_its_answer_ends_leaves_the_conversation_whole(
    fragile: LocalStack, fragile_sdk: OpenAI
) -> None:
    """Readers know of an end a moment before it joins its thread, where it stands once all the same."""
    talk = fragile_sdk.conversations.create()
    said: list[str] = []
    for word in ("one", "two", "three"):
        asked = f"Reply with exactly: {word}"
        response = fragile_sdk.responses.create(
            model="simulator-fast", input=asked, conversation=talk.id, background=True
        )
        ended(fragile_sdk, response.id)
        fragile.kill("WorkerFunction")

        said += [asked, word]
        items = fragile_sdk.conversations.items.list(talk.id, order="asc", limit=100)
        assert [part.text for item in items for part in item.content] == said  # type: ignore[union-attr]  # messages


def test_a_response_over_which_workers_keep_dying_fails(fragile: LocalStack, fragile_sdk: OpenAI) -> None:
    """It may be the cause: after its attempts it ends, and whoever polls is told."""
    response = ask(fragile_sdk, FOR_EVER, model="simulator-restarts")
    speaking(fragile_sdk, response.id)
    fragile.kill("WorkerFunction")
    when(fragile_sdk, response.id, lambda found: texts(found)[1:] > [""])

    fragile.kill("WorkerFunction")

    failed = ended(fragile_sdk, response.id)
    assert error_of(failed)["code"] == "attempts_exhausted"
    assert statuses(failed) == ["incomplete", "incomplete"]
    assert said_once(fragile, failed)


def test_a_worker_that_stood_still_for_too_long_adds_nothing(
    fragile: LocalStack, fragile_sdk: OpenAI, upstream: Upstream
) -> None:
    """It wakes with words in its hands, and must not speak them into the answer of the one that took over."""
    stalled, held = Silence(), Silence()
    model = upstream.model(
        [*text("Old "), stalled, *text("words."), *end()], [*text("New "), held, *text("words."), *end()]
    )
    response = ask(fragile_sdk, "Speak.", model=model)
    speaking(fragile_sdk, response.id)

    with standing_still(fragile, "WorkerFunction"):
        stalled.until.set()
        when(fragile_sdk, response.id, lambda found: texts(found) == ["", "New "])
    assert upstream.asked(model)[0].closed.wait(10)
    held.until.set()

    found = ended(fragile_sdk, response.id)
    assert (statuses(found), texts(found)) == (["incomplete", "completed"], ["", "New words."])
    assert said_once(fragile, found)


# ── Lost before work ──────────────────────────────────────────────────────────────────────────────────


def test_a_response_whose_message_is_lost_is_sent_again(fragile: LocalStack, fragile_sdk: OpenAI) -> None:
    """All slots are taken while the queue is emptied, so no worker ever sees the message."""
    others = [ask(fragile_sdk, LONG, model="simulator-slow") for _ in range(SLOTS_OF_FRAGILE)]
    for other in others:
        speaking(fragile_sdk, other.id)
    response = ask(fragile_sdk, "Hello")

    lose_message(fragile, response.id)
    for other in others:
        fragile_sdk.responses.cancel(other.id)

    assert ended(fragile_sdk, response.id).output_text == simulated("Hello")
    assert int(parts_of(fragile, response.id)["head"]["resends"]["N"]) >= 1


def test_a_response_whose_worker_and_message_are_lost_is_sent_again(
    fragile: LocalStack, fragile_sdk: OpenAI, upstream: Upstream
) -> None:
    """The sweeper is the backstop for both at once."""
    model = upstream.model([*text("Half"), Silence()], says("Whole."))
    response = ask(fragile_sdk, "Speak.", model=model)
    speaking(fragile_sdk, response.id)

    fragile.kill("WorkerFunction")
    lose_every_message(fragile)

    found = ended(fragile_sdk, response.id)
    assert (statuses(found), texts(found)) == (["incomplete", "completed"], ["", "Whole."])
    assert said_once(fragile, found)


def test_what_was_accepted_is_answered_though_the_web_server_died(fragile: LocalStack) -> None:
    """The SDK tries again by itself; what the dead server had stored is answered as well, heard of or not."""
    with (
        OpenAI(base_url=fragile.url, api_key="sk-local-many") as many,
        ThreadPoolExecutor(8) as asking,
    ):
        asked = [asking.submit(ask, many, f"Say exactly: number {number}") for number in range(24)]
        eventually(lambda: ids_of(fragile, "many"))

        assert fragile.kill("StreamFunction")

        told = {each.result(30).id for each in asked}
        stored = set(ids_of(fragile, "many"))
        assert told <= stored
        assert {ended(many, response_id).status for response_id in stored} == {"completed"}


# ── Stopped on purpose ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "said", [[], text("I was about to")], ids=["before its first word", "in mid-sentence"]
)
def test_cancelling_hangs_up_on_a_silent_provider(
    fragile_sdk: OpenAI, upstream: Upstream, said: list[Step]
) -> None:
    """A model that thinks is paid for. Here it may for minutes: only the cancel can hang up on it so soon."""
    silence = Silence()
    model = upstream.model([*said, silence])
    response = ask(fragile_sdk, "Think.", model=model)
    assert silence.reached.wait(10)
    (call,) = upstream.asked(model)

    fragile_sdk.responses.cancel(response.id)

    assert call.closed.wait(10)
    assert fragile_sdk.responses.retrieve(response.id).status == "cancelled"


@contextmanager
def standing_still(stack: LocalStack, name: str) -> Iterator[None]:
    """Stop the one execution that a function has now, for as long as the block lasts; new ones run.

    Idle processes are stopped as well, as they are anyway until the stack needs them.
    """
    eventually(lambda: stack.invocations()[name]["running"] == 1)
    pids = [process["pid"] for process in stack.processes() if process["name"] == name]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def said_once(stack: LocalStack, response: Response) -> bool:
    """Whether the log has a single end, at its end; `tip_of` refuses one that breaks another rule."""
    batches = log_of(stack, response.id)
    ends = [fact for fact in facts_of(batches) if isinstance(fact, Ended)]
    return tip_of(batches).end is not None and len(ends) == 1
