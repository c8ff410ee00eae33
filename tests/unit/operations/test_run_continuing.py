"""Run, when a model call breaks off: in mid-claim or with its worker, the same decision is made."""

from collections.abc import Callable
from typing import Any

import pytest

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import (
    ClaimLost,
    NotContinued,
    ProviderBroken,
    ProviderBusy,
    ProviderError,
    ProviderRejected,
    Unavailable,
)
from meanwhile.domain.facts import Delta, GivenUp, ItemAdded, PartAdded
from meanwhile.domain.model_events import ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStarted
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.operations.running.run import PutDown
from tests.unit.operations.scene import HELLO, LEASE, STOP, Scene, Script

HEL, LO = TextDelta("Hel"), TextDelta("lo")
BROKEN = ProviderBroken("The provider's stream broke.")
REFUSED = NotContinued("The provider did not go on.")
Break = Callable[[Scene, Head, list[Any], Script], None]


def broken_stream(scene: Scene, head: Head, said: list[Any], then: Script) -> None:
    """Let the stream break behind these words; the same claim asks again."""
    script = Script([*said, BROKEN], *then.tries)
    scene.run(scene.claim(head.id, alone=False), script)
    then.asked, then.beginnings = script.asked - 1, script.beginnings[1:]


def dead_worker(scene: Scene, head: Head, said: list[Any], then: Script) -> None:
    """Let the worker die behind these words; another claim asks again."""
    scene.said(head, *said)
    scene.clock.advance(LEASE)
    scene.run(scene.claim(head.id, alone=True), then)


both = pytest.mark.parametrize("breaks", [broken_stream, dead_worker], ids=lambda each: each.__name__)


@pytest.fixture
def going_on(scene: Scene) -> Scene:
    """Return a scene whose models go on from a beginning."""
    scene.continues = True
    return scene


def items(scene: Scene, head: Head) -> list[tuple[str, str]]:
    """Return type and status of every item that its owner sees."""
    return [(item["type"], item["status"]) for item in scene.shown(head)["output"]]


@both
@pytest.mark.parametrize("caller", [{"background": True}, {"background": False, "stream": True}], ids=str)
def test_the_same_message_is_gone_on_with(going_on: Scene, breaks: Break, caller: dict[str, Any]) -> None:
    """No word is lost, none is said twice, and nobody who reads along notices."""
    head, script = going_on.accepted(**caller), Script([LO, STOP])

    breaks(going_on, head, [HEL], script)

    assert going_on.text(head) == "Hello"
    assert items(going_on, head) == [("message", "completed")]
    assert script.beginnings == [Beginning(text="Hel")]
    assert not [fact for fact in going_on.facts(head) if isinstance(fact, GivenUp)]


@both
def test_what_stands_beside_the_message_starts_over(going_on: Scene, breaks: Break) -> None:
    """Arguments are said again from their start. Thoughts that were whole stay, and their cost is known."""
    head = going_on.accepted()
    script = Script([LO, ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}"), STOP])

    breaks(going_on, head, [ReasoningDelta("hm"), HEL, ToolCallStarted(0, "c", "f")], script)

    assert script.beginnings == [Beginning(text="Hel", thoughts="hm")]
    assert items(going_on, head) == [
        ("reasoning", "completed"),
        ("message", "completed"),
        ("function_call", "completed"),
    ]


@both
@pytest.mark.parametrize("continues", [True, False], ids=["can go on", "cannot"])
def test_a_message_without_words_is_filled_by_the_next_call(
    scene: Scene, breaks: Break, *, continues: bool
) -> None:
    """It is asked for afresh, and its white space is not written twice."""
    scene.continues = continues
    head, script = scene.accepted(background=False, stream=True), Script([TextDelta("\n"), *HELLO])

    breaks(scene, head, [TextDelta("\n")], script)

    assert items(scene, head) == [("message", "completed")]
    assert scene.text(head) == "\nHello"
    assert script.beginnings[0].words == ""


@both
def test_a_foreground_stream_that_cannot_go_on_is_interrupted(scene: Scene, breaks: Break) -> None:
    """Its reader has the words, and would hear them twice. What was said stays to be read."""
    head, script = scene.accepted(background=False, stream=True), Script(HELLO)

    breaks(scene, head, [HEL], script)

    shown = scene.shown(head)
    assert (shown["status"], shown["error"]["code"]) == ("failed", "interrupted")
    assert "Hel" not in shown["error"]["message"]
    assert (scene.text(head), items(scene, head)) == ("Hel", [("message", "incomplete")])
    assert script.asked == 0
    assert scene.head(head).status is Status.FAILED


@both
@pytest.mark.parametrize(
    ("caller", "said"),
    [
        pytest.param({"background": False}, [HEL], id="waited for"),
        pytest.param({"background": True, "stream": True}, [HEL], id="in the background"),
        pytest.param({"background": False, "stream": True}, [ReasoningDelta("hm")], id="only thoughts"),
        pytest.param({"background": False, "stream": True}, [ToolCallStarted(0, "c", "f")], id="only a call"),
    ],
)
def test_others_start_over(scene: Scene, breaks: Break, caller: dict[str, Any], said: list[Any]) -> None:
    """Nobody has read the text, or whoever did knows about items."""
    head, script = scene.accepted(**caller), Script(HELLO)

    breaks(scene, head, said, script)

    assert (scene.shown(head)["status"], scene.text(head).removeprefix("hm")) == ("completed", "Hello")
    assert GivenUp(0) in scene.facts(head)
    assert script.beginnings[0].words == ""


@both
def test_a_provider_that_does_not_go_on_after_all_starts_over(going_on: Scene, breaks: Break) -> None:
    """The catalogue may be wrong; that costs a call, and no answer."""
    head, script = going_on.accepted(), Script([REFUSED], HELLO)

    breaks(going_on, head, [HEL], script)

    assert (going_on.shown(head)["status"], going_on.text(head)) == ("completed", "Hello")
    assert items(going_on, head) == [("message", "incomplete"), ("message", "completed")]
    assert [each.words for each in script.beginnings] == ["Hel", ""]


@both
def test_a_stream_whose_provider_does_not_go_on_after_all_is_interrupted(
    going_on: Scene, breaks: Break
) -> None:
    """As if the catalogue had said so."""
    head, script = going_on.accepted(background=False, stream=True), Script([REFUSED])

    breaks(going_on, head, [HEL], script)

    assert going_on.shown(head)["error"]["code"] == "interrupted"
    assert going_on.text(head) == "Hel"


def test_a_stream_that_breaks_again_goes_on_from_all_of_it(going_on: Scene) -> None:
    """Every call begins where the one before it was."""
    head = going_on.accepted()
    script = Script([HEL, BROKEN], [TextDelta("l"), BROKEN], [TextDelta("o"), STOP])

    going_on.run(going_on.claim(head.id, alone=False), script)

    assert [each.words for each in script.beginnings] == ["", "Hel", "Hell"]
    assert going_on.text(head) == "Hello"


def test_an_answer_that_gets_further_with_every_call_is_not_given_up(going_on: Scene) -> None:
    """What cuts every connection after a minute makes an answer slower, and ends none."""
    head = going_on.accepted()
    cut = [[TextDelta(each), BROKEN] for each in "Hello, you"]
    script = Script(*cut, [TextDelta("!"), STOP])

    going_on.run(going_on.claim(head.id, alone=False), script)

    assert (going_on.text(head), items(going_on, head)) == ("Hello, you!", [("message", "completed")])


def test_calls_that_get_no_further_are_bounded(going_on: Scene) -> None:
    """There is no better text to come that would have to replace what was said: it stays to be read."""
    head = going_on.accepted()
    script = Script([HEL, BROKEN], *[[TextDelta(""), BROKEN]] * 9)

    going_on.run(going_on.claim(head.id, alone=False), script)

    assert script.asked == 3
    assert going_on.shown(head)["error"]["code"] == "provider_error"
    assert (going_on.text(head), items(going_on, head)) == ("Hel", [("message", "incomplete")])


@pytest.mark.parametrize("error", [BROKEN, ProviderRejected("No.")], ids=["broken", "rejected"])
def test_words_stay_until_there_are_others(scene: Scene, error: ProviderError) -> None:
    """A call that starts over may be refused, or say nothing: then what readers had is all there is."""
    head = scene.accepted()

    scene.run(scene.claim(head.id, alone=False), Script([HEL, BROKEN], [error]))

    assert scene.shown(head)["status"] == "failed"
    assert (scene.text(head), items(scene, head)) == ("Hel", [("message", "incomplete")])


def test_a_call_of_which_nobody_has_heard_is_not_given_up_aloud(going_on: Scene) -> None:
    """It broke off before a word of it was written: readers see one call, the one that was made."""
    head = going_on.accepted()
    script = Script(
        [HEL, ToolCallStarted(0, "c1", "pay"), ToolCallDelta(0, '{"a'), BROKEN],
        [LO, ToolCallStarted(0, "c2", "pay"), ToolCallDelta(0, "{}"), STOP],
    )

    going_on.run(going_on.claim(head.id, alone=False), script, pause=0.2)

    assert [fact.call_id for fact in going_on.facts(head) if isinstance(fact, ItemAdded)] == ["", "c2"]
    assert not [fact for fact in going_on.facts(head) if isinstance(fact, GivenUp)]
    assert (going_on.text(head), items(going_on, head)[1]) == ("Hello", ("function_call", "completed"))


def test_a_busy_provider_is_gone_on_with_later(going_on: Scene) -> None:
    """The words wait in the log, also those that were said just before."""
    head, then = going_on.accepted(), Script([LO, STOP])
    busy = ProviderBusy("Too many.")
    with pytest.raises(PutDown):
        going_on.run(going_on.claim(head.id, alone=False), Script([HEL, busy], [busy]))
    going_on.clock.advance(LEASE)

    going_on.run(going_on.claim(head.id, alone=True), then)

    assert (then.beginnings, going_on.text(head)) == ([Beginning(text="Hel")], "Hello")
    assert items(going_on, head) == [("message", "completed")]


def test_a_rejection_behind_new_words_is_final(going_on: Scene) -> None:
    """It did go on, so it is not the beginning that was refused."""
    head = going_on.accepted()
    script = Script([HEL, BROKEN], [TextDelta("l"), ProviderRejected("No more.")])

    going_on.run(going_on.claim(head.id, alone=False), script)

    assert going_on.shown(head)["error"]["code"] == "provider_rejected"
    assert going_on.text(head) == "Hell"


def test_the_fence_of_an_interrupted_stream_is_its_end(scene: Scene) -> None:
    """One write: a crash behind it leaves an end, not a fence that says nothing."""
    head = scene.accepted(background=False, stream=True)
    scene.said(head, HEL)
    scene.clock.advance(LEASE)

    answer = scene.claimed(head).answer

    *_, last = scene.stores.log.read(head)
    assert (last.epoch, last.facts) == (2, (answer.end,))
    assert isinstance(answer.end, Ended)


def test_a_head_that_did_not_follow_an_interrupted_stream_is_mended(scene: Scene) -> None:
    """As after any other end."""
    head, script = scene.accepted(background=False, stream=True), Script()
    scene.said(head, HEL)
    scene.clock.advance(LEASE)
    end = scene.stores.responses.end

    def unavailable(*_: object) -> None:
        raise Unavailable(head.id)

    scene.broken("responses", end=unavailable)
    with pytest.raises(Unavailable):
        scene.claimed(head)
    scene.broken("responses", end=end)
    scene.clock.advance(LEASE)

    scene.run(scene.claim(head.id, alone=True), script)

    assert (script.asked, scene.head(head).status) == (0, Status.FAILED)


def test_a_worker_that_wakes_adds_nothing_to_the_message_that_is_gone_on_with(going_on: Scene) -> None:
    """Both write to the same item; the fence alone keeps them apart."""
    head = going_on.accepted()
    sleeper = going_on.said(head, HEL)
    going_on.clock.advance(LEASE)
    going_on.claimed(head)
    going_on.clock.advance(-LEASE)

    with pytest.raises(ClaimLost):
        sleeper.append([Delta(0, "p!")])


def test_what_the_fence_was_read_from_is_what_is_gone_on_with(going_on: Scene) -> None:
    """Words that were written before the fence, and after the claim, are part of the beginning."""
    head, script = going_on.accepted(), Script([LO, STOP])
    sleeper = going_on.claimed(head)
    going_on.clock.advance(LEASE)
    claimed = going_on.claim(head.id, alone=True)
    going_on.clock.advance(-LEASE)
    sleeper.append([ItemAdded("message"), PartAdded(0, "output_text"), Delta(0, "Hel")])
    going_on.clock.advance(LEASE)

    going_on.run(claimed, script)

    assert (script.beginnings, going_on.text(head)) == ([Beginning(text="Hel")], "Hello")
