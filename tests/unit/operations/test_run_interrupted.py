"""Run, when the response is taken away or something breaks: the model is let go, and the log stays whole."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import ClaimLost, Gone, LogCorrupt, Unavailable
from meanwhile.domain.facts import Fact, Started
from meanwhile.domain.model_events import ModelEvent, TextDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from tests.unit.operations.scene import HELLO, KEPT, LEASE, OWNER, Scene, Script

HEL = TextDelta("Hel")


class Meddling(Script):
    """A provider during whose answer something else happens."""

    def __init__(self, meddle: Any, *tries: Any) -> None:
        super().__init__(*tries)
        self.meddle = meddle

    async def __call__(self, request: Request, beginning: Beginning) -> AsyncGenerator[ModelEvent, None]:
        async for event in super().__call__(request, beginning):
            yield event
            self.meddle()
            self.meddle = lambda: None


def test_a_newer_claim_takes_the_log_and_the_model_is_let_go(scene: Scene) -> None:
    """Whoever wakes after its lease must not write another word, nor pay for one."""
    head = scene.accepted()

    def taken_over() -> None:
        scene.clock.advance(LEASE)
        scene.claimed(head)
        scene.clock.advance(-LEASE)  # our own clock stands still: only the log can tell

    script = Meddling(taken_over, [HEL, ...])

    with pytest.raises(ClaimLost):
        scene.run(scene.claim(head.id, alone=False), script)

    assert script.closed == 1
    assert scene.text(head) == ""


def test_a_cancel_wins_the_last_place_and_the_model_is_let_go(scene: Scene) -> None:
    """Cancelled stays cancelled."""
    head = scene.accepted()
    script = Meddling(lambda: scene.cancel(OWNER, head.id), [HEL, ...])

    with pytest.raises(ClaimLost):
        scene.run(scene.claim(head.id, alone=False), script)

    assert script.closed == 1
    assert scene.shown(head)["status"] == "cancelled"


def test_a_lease_that_ran_out_is_the_end_of_writing(scene: Scene) -> None:
    """A worker writes nothing after its own last confirmed lease, though nobody else has come yet."""
    head = scene.accepted()
    script = Meddling(lambda: scene.clock.advance(LEASE), HELLO)

    with pytest.raises(ClaimLost):
        scene.run(scene.claim(head.id, alone=False), script)

    assert scene.facts(head) == [Started()]


def test_a_table_that_does_not_answer_stops_the_model(scene: Scene) -> None:
    """Words that cannot be kept must not be paid for."""
    head, script = scene.accepted(), Script([HEL, ...])
    append, calls = scene.stores.log.append, list[Fact]()

    def fails_after_the_fence(head: Head, batch: Any) -> None:
        if calls:
            raise Unavailable(head.id)
        calls.extend(batch.facts)
        append(head, batch)

    scene.broken("log", append=fails_after_the_fence)

    with pytest.raises(Unavailable):
        scene.run(scene.claim(head.id, alone=False), script)

    assert script.closed == 1


def test_a_head_that_cannot_be_written_is_mended_by_the_next(scene: Scene) -> None:
    """The end is in the log: the answer is not asked for twice."""
    head, script = scene.accepted(), Script(HELLO)
    end = scene.stores.responses.end

    def unavailable(*args: object) -> None:
        raise Unavailable(f"{len(args)}")

    scene.broken("responses", end=unavailable)
    with pytest.raises(Unavailable):
        scene.run(scene.claim(head.id, alone=False), script)
    scene.broken("responses", end=end)
    scene.clock.advance(LEASE)

    scene.run(scene.claim(head.id, alone=True), script)

    assert script.asked == 1
    assert scene.head(head).status is Status.COMPLETED


@pytest.mark.parametrize("error", [ValueError("a bug"), TimeoutError("not the deadline")])
def test_a_bug_is_raised_as_it_is(scene: Scene, error: Exception) -> None:
    """It must not pass for the deadline, a busy provider, or an answer."""
    head, script = scene.accepted(), Script([HEL, error])

    with pytest.raises(type(error), match=str(error)):
        scene.run(scene.claim(head.id, alone=False), script)

    assert not [fact for fact in scene.facts(head) if isinstance(fact, Ended)]


@pytest.mark.parametrize("why", ["deleted", "expired"])
def test_what_is_gone_is_not_worked_on(scene: Scene, why: str) -> None:
    """Nobody could read the answer."""
    head, script = scene.accepted(), Script(HELLO)
    claimed = scene.claim(head.id, alone=False)
    if why == "deleted":
        scene.stores.responses.bury(head, now=scene.clock())
    else:
        scene.clock.advance(KEPT)

    with pytest.raises(Gone):
        scene.run(claimed, script)
    assert script.asked == 0


def test_a_head_that_ended_without_its_log_is_not_worked_on(scene: Scene) -> None:
    """No rule leads there; to go on would tell readers two stories."""
    head, script = scene.accepted(), Script(HELLO)
    claimed = scene.claim(head.id, alone=False)
    end = Ended(status=Status.FAILED, at=1, code="c", message="m")
    scene.stores.responses.end(scene.ending.ended(head, end), {"output": [], "end": []})

    with pytest.raises(LogCorrupt):
        scene.run(claimed, script)
    assert script.asked == 0


def test_a_claim_that_is_older_than_the_newest_fence_stops_before_it_asks(scene: Scene) -> None:
    """Its lease item may say otherwise; the log decides."""
    head, script = scene.accepted(), Script(HELLO)
    older = scene.claim(head.id, alone=False)
    scene.clock.advance(LEASE)
    scene.claimed(head)
    scene.clock.advance(-LEASE)

    with pytest.raises(ClaimLost):
        scene.run(older, script)
    assert script.asked == 0
