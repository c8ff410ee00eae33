"""Run: what a model says ends up in the log, and however it stops talking there is one right end."""

import pytest

from meanwhile.domain.errors import (
    InvalidRequest,
    ProviderBroken,
    ProviderBusy,
    ProviderRejected,
)
from meanwhile.domain.facts import Delta, GivenUp, ItemAdded, ItemDone, PartAdded, PartDone, Started, TextDone
from meanwhile.domain.model_events import Finished, FinishReason, ReasoningDelta, TextDelta, ToolCallStarted
from meanwhile.domain.response import Ended, Status
from meanwhile.operations.running.run import PutDown
from tests.unit.operations.scene import HELLO, HOUR, LEASE, OWNER, STOP, Scene, Script

HEL = TextDelta("Hel")
BROKEN = ProviderBroken("The provider's stream broke.")


def test_an_answer_is_logged_and_its_head_follows(scene: Scene) -> None:
    """The whole way of a good day: fence, words, end, result."""
    head, script = scene.accepted(), Script(HELLO)

    scene.run(scene.claim(head.id, alone=False), script, pause=HOUR)

    assert scene.facts(head) == [
        Started(),
        ItemAdded("message"),
        PartAdded(0, "output_text"),
        *(fact for fact in scene.facts(head) if isinstance(fact, Delta)),
        TextDone(0),
        PartDone(0),
        ItemDone(0),
        Ended(status=Status.COMPLETED, at=int(scene.clock()), usage=STOP.usage),
    ]
    assert scene.text(head) == "Hello"
    assert scene.shown(head)["usage"]["total_tokens"] == 5
    assert scene.head(head).status is Status.COMPLETED
    assert (script.asked, script.closed) == (1, 1)


def test_a_response_that_has_ended_is_mended_and_no_model_is_asked(scene: Scene) -> None:
    """A message that comes late costs a read, and no tokens."""
    head, script = scene.accepted(), Script(HELLO)
    scene.ended(head, mended=False)
    scene.clock.advance(LEASE)

    scene.run(scene.claim(head.id, alone=True), script)

    assert script.asked == 0
    assert scene.head(head).status is Status.COMPLETED


def test_a_stream_that_breaks_is_started_over_and_its_words_are_taken_back(scene: Scene) -> None:
    """Readers see the item given up; the answer holds the second try alone."""
    head, script = scene.accepted(), Script([HEL, BROKEN], HELLO)

    scene.run(scene.claim(head.id, alone=False), script)

    assert (script.asked, script.closed) == (2, 2)
    assert GivenUp(0) in scene.facts(head)
    assert [(item["status"], len(item["content"])) for item in scene.shown(head)["output"]] == [
        ("incomplete", 0),
        ("completed", 1),
    ]
    assert scene.text(head) == "Hello"


@pytest.mark.parametrize(
    "ending", [pytest.param([BROKEN], id="it breaks"), pytest.param([], id="it just stops")]
)
def test_three_streams_without_an_end_are_a_failure(scene: Scene, ending: list[Exception]) -> None:
    """`completed` needs the provider's own end; and nobody pays for the same answer for ever.

    What the last one said stays to be read: nothing comes in its place.
    """
    head, script = scene.accepted(), Script(*[[HEL, *ending]] * 9)

    scene.run(scene.claim(head.id, alone=False), script)

    shown = scene.shown(head)
    assert script.asked == 3
    assert (shown["status"], shown["error"]["code"]) == ("failed", "provider_error")
    assert scene.text(head) == "Hel"


@pytest.mark.parametrize("ending", [[BROKEN], []], ids=["it breaks", "it just stops"])
def test_a_provider_that_never_says_a_word_is_not_asked_again_here(
    scene: Scene, ending: list[Exception]
) -> None:
    """It was asked patiently already, by what stands between."""
    head, script = scene.accepted(), Script(*[ending] * 9)

    scene.run(scene.claim(head.id, alone=False), script)

    assert script.asked == 1
    assert scene.shown(head)["error"]["code"] == "provider_error"


@pytest.mark.parametrize("error", [ProviderRejected("The model said no."), InvalidRequest("No such model.")])
def test_what_the_provider_rejects_fails_at_once(scene: Scene, error: Exception) -> None:
    """Asking again would get the same answer."""
    head, script = scene.accepted(), Script([error])

    scene.run(scene.claim(head.id, alone=False), script)

    shown = scene.shown(head)
    assert script.asked == 1
    assert shown["error"] == {"code": "provider_rejected", "message": str(error)}
    assert (shown["status"], shown["completed_at"]) == ("failed", None)


def test_a_rejection_in_the_middle_keeps_what_was_said(scene: Scene) -> None:
    """It is final, so nothing will take its place."""
    head = scene.accepted()

    scene.run(scene.claim(head.id, alone=False), Script([HEL, ProviderRejected("No more.")]))

    (item,) = scene.shown(head)["output"]
    assert (item["status"], scene.text(head)) == ("incomplete", "Hel")


@pytest.mark.parametrize(("retry_after", "delay"), [(None, 30), (7, 7)])
def test_a_busy_provider_lets_the_response_be_put_down(
    scene: Scene, retry_after: float | None, delay: float
) -> None:
    """Nobody waits at a worker's cost for longer than it pays."""
    head = scene.accepted()
    busy = ProviderBusy("Too many requests.", retry_after=retry_after)

    with pytest.raises(PutDown) as down:
        scene.run(scene.claim(head.id, alone=False), Script([busy]))

    assert down.value.delay == delay
    assert scene.shown(head)["status"] == "in_progress"


def test_a_response_is_not_put_down_for_longer_than_it_may_take(scene: Scene) -> None:
    """Else nobody would end it in time: early messages are put back, and the sweeper waits, too."""
    head = scene.accepted()
    scene.claim(head.id, alone=False).give_back()
    scene.clock.advance(HOUR - 100.5)

    with pytest.raises(PutDown) as down:
        scene.run(scene.claim(head.id, alone=False), Script([ProviderBusy("Too many.", retry_after=900)]))

    assert down.value.delay == 101


def test_a_provider_that_becomes_busy_in_the_middle_is_started_over(scene: Scene) -> None:
    """And what it had said is taken back, by this claim or the next."""
    head = scene.accepted()
    script = Script(*[[HEL, ProviderBusy("Too many.")]] * 3, HELLO)
    with pytest.raises(PutDown):
        scene.run(scene.claim(head.id, alone=False), script)
    scene.clock.advance(LEASE)

    scene.run(scene.claim(head.id, alone=True), script)

    assert script.asked == 4
    assert scene.text(head) == "Hello"
    assert scene.shown(head)["status"] == "completed"


def test_a_silent_model_meets_the_deadline(scene: Scene) -> None:
    """An hour from the first claim, whoever holds it then."""
    head, script = scene.accepted(), Script([HEL, HOUR, ...])

    scene.run(scene.claim(head.id, alone=False), script)

    shown = scene.shown(head)
    assert (shown["status"], shown["error"]["code"]) == ("failed", "deadline_exceeded")
    assert script.closed == 1
    assert scene.text(head) == "Hel"


def test_the_deadline_counts_from_the_first_claim(scene: Scene) -> None:
    """Dying and coming back does not buy time."""
    head, script = scene.accepted(), Script([...])
    scene.claimed(head)
    scene.clock.advance(HOUR)

    scene.run(scene.claim(head.id, alone=True), script)

    assert scene.shown(head)["error"]["code"] == "deadline_exceeded"


@pytest.mark.parametrize("after", [[BROKEN], [HOUR, ...], [HEL]], ids=["it breaks", "silence", "more words"])
def test_nothing_counts_after_the_models_own_end(scene: Scene, after: list[object]) -> None:
    """A connection that closes badly must not undo, repeat or delay a whole answer."""
    head, script = scene.accepted(), Script([*HELLO, *after], HELLO)

    scene.run(scene.claim(head.id, alone=False), script)

    assert (scene.shown(head)["status"], scene.text(head)) == ("completed", "Hello")
    assert (script.asked, script.closed) == (1, 1)


def test_too_many_attempts_are_the_end_and_no_model_is_asked(scene: Scene) -> None:
    """Somebody died over it each time."""
    head, script = scene.accepted(), Script(HELLO)
    for _ in range(4):
        scene.claimed(head)
        scene.clock.advance(LEASE)

    scene.run(scene.claim(head.id, alone=True), script)

    assert script.asked == 0
    assert scene.shown(head)["error"]["code"] == "attempts_exhausted"


def test_a_request_that_was_not_stored_whole_fails(scene: Scene) -> None:
    """There is nothing to ask."""
    head, script = scene.accepted(), Script(HELLO)
    scene.stores.responses.accept(head, None)  # type: ignore[arg-type]  # what a crash leaves behind

    scene.run(scene.claim(head.id, alone=False), script)

    (*_, end) = scene.facts(head)
    assert isinstance(end, Ended)
    assert (end.status, end.code, script.asked) == (Status.FAILED, "server_error", 0)


def test_the_next_claim_goes_on_where_the_dead_one_left_off(scene: Scene) -> None:
    """Reasoning that was whole stays; what was half said is cleared and said again."""
    head = scene.accepted()
    scene.said(head, ReasoningDelta("hm"), HEL, ToolCallStarted(0, "c", "f"))
    scene.clock.advance(LEASE)

    scene.run(scene.claim(head.id, alone=True), Script(HELLO))

    kinds = [(item["type"], item["status"]) for item in scene.shown(head)["output"]]
    assert kinds == [("reasoning", "completed"), ("message", "incomplete"), ("message", "completed")]
    assert [fact for fact in scene.facts(head) if isinstance(fact, Started)] == [Started()]


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.CONTENT_FILTER])
def test_a_model_that_was_stopped_ends_as_incomplete(scene: Scene, reason: FinishReason) -> None:
    """And nobody asks it again."""
    head, script = scene.accepted(), Script([HEL, Finished(reason)])

    scene.run(scene.claim(head.id, alone=False), script)

    shown = scene.shown(head)
    assert (shown["status"], shown["incomplete_details"]) == ("incomplete", {"reason": reason.value})
    assert script.asked == 1


def test_a_foreground_response_has_no_event_of_a_start(scene: Scene) -> None:
    """Its event 1 said so already."""
    head = scene.accepted(background=False)

    scene.run(scene.claim(head.id, alone=False), Script(HELLO))

    assert Started() not in scene.facts(head)
    assert scene.read(OWNER, head.id)["status"] == "completed"


def test_a_model_that_went_away_is_named_in_the_error(scene: Scene) -> None:
    """It was known when the request was accepted, and is not any more: say which of the two is at fault."""
    head = scene.accepted()
    gone = InvalidRequest("The model 'old' does not exist.", param="model", code="model_not_found")

    scene.run(scene.claim(head.id, alone=False), Script([gone]))

    assert scene.shown(head)["error"]["code"] == "model_not_found"
