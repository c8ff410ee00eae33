"""Accept once: with a key or as an SDK's retry, what is sent again gets the response that is there."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.attempt import Attempt, Taken
from meanwhile.domain.errors import InvalidRequest, Tampered, Unavailable
from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head, Status
from meanwhile.operations.accepting.accept_once import AcceptOnce
from tests.support.faults import Crash
from tests.unit.operations.scene import DAY, MINUTE, OWNER, RESEND, Over, Scene

REQUEST = Request(model="simulator", input=[], background=True)
KEYED = Attempt(digest=b"body", key="key")
FIRST, RETRY = Attempt(digest=b"body"), Attempt(digest=b"body", repeats=True)

MOMENTS = range(6)
"""Before and after each of the three writes: the key, the response, the message."""


def ended_and_deleted(scene: Scene, head: Head) -> None:
    """End it, and delete it."""
    scene.ended(head)
    scene.delete(OWNER, head.id)


LIVES: dict[str, Callable[[Scene, Head], object]] = {
    "is queued": lambda _scene, _head: None,
    "is claimed": lambda scene, head: scene.claimed(head),
    "says something": lambda scene, head: scene.said(head, TextDelta("Hel")),
    "has ended": lambda scene, head: scene.ended(head),
    "has ended in its log": lambda scene, head: scene.ended(head, mended=False),
    "was deleted": ended_and_deleted,
}


def interrupted(scene: Scene, moment: int, by: Callable[[], object]) -> AcceptOnce:
    """Return an `AcceptOnce` to which something happens at one moment between its writes."""
    passed = iter(MOMENTS)

    def at_both_ends(call: Callable[..., Any]) -> Callable[..., Any]:
        def interruptible(*args: Any, **kwargs: Any) -> Any:
            if next(passed) == moment:
                by()
            answer = call(*args, **kwargs)
            if next(passed) == moment:
                by()
            return answer

        return interruptible

    marks, responses = scene.stores.marks, scene.stores.responses
    stores = replace(
        scene.stores,
        marks=cast("Any", Over(marks, take=at_both_ends(marks.take))),
        responses=cast("Any", Over(responses, accept_once=at_both_ends(responses.accept_once))),
    )
    queue = cast("Any", Over(scene.queue, send=at_both_ends(scene.queue.send)))
    return replace(scene.once, stores=stores, accept=replace(scene.accept, stores=stores, queue=queue))


def ids(scene: Scene) -> set[str]:
    """Return every response that the owner has."""
    found = scene.stores.responses.of_owner(OWNER, behind=None, since=0, page=10)
    return {listed.head.id for listed in found}


def die() -> None:
    """End the process."""
    raise Crash


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_call_that_died_is_completed_by_the_next(scene: Scene, moment: int) -> None:
    """Wherever it died: one response under one id, and it is sent, by the sweeper if by nobody else."""
    with pytest.raises(Crash):
        interrupted(scene, moment, die)(OWNER, REQUEST, KEYED)

    again = scene.once(OWNER, REQUEST, KEYED)
    scene.sweep(after=RESEND)

    assert ids(scene) == {again.head.id}
    assert {sent for sent, *_ in scene.queue.sent} == {again.head.id}
    assert scene.once(OWNER, REQUEST, KEYED).head.id == again.head.id


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_call_that_was_only_slow_touches_nothing(scene: Scene, moment: int, life: str) -> None:
    """Its retry has completed it, and the response lives on: a late write must not set it back."""
    known: list[Any] = []

    def meanwhile() -> None:
        taken = scene.once(OWNER, REQUEST, KEYED)
        LIVES[life](scene, taken.head)
        known.extend([taken.head.id, scene.stores.responses.everything(taken.head.id)])

    late = interrupted(scene, moment, meanwhile)
    gone_before_it_looked = life == "was deleted" and moment <= 2
    if gone_before_it_looked:
        with pytest.raises(InvalidRequest, match="is gone"):
            late(OWNER, REQUEST, KEYED)
    else:
        assert late(OWNER, REQUEST, KEYED).head.id == known[0]

    assert scene.stores.responses.everything(known[0]) == known[1]
    assert ids(scene) <= {known[0]}


@given(deaths=st.lists(st.sampled_from(MOMENTS), max_size=6))
def test_any_number_of_deaths_makes_one_response(deaths: list[int]) -> None:
    """Retries die as well. No id but one is ever written, and every call that answers names it."""
    scene = Scene()
    answered: set[str] = set()

    for moment in deaths:
        try:
            answered.add(interrupted(scene, moment, die)(OWNER, REQUEST, KEYED).head.id)
        except Crash:
            continue
    answered.add(scene.once(OWNER, REQUEST, KEYED).head.id)

    assert ids(scene) == answered
    assert len(answered) == 1


def test_the_same_key_with_another_request_is_refused(scene: Scene) -> None:
    """As a 400: SDKs would send a 409 again and again."""
    scene.once(OWNER, REQUEST, KEYED)

    with pytest.raises(InvalidRequest) as refused:
        scene.once(OWNER, REQUEST, replace(KEYED, digest=b"another"))

    assert (refused.value.param, refused.value.narrow_code) == ("Idempotency-Key", "idempotency_key_reused")
    assert len(ids(scene)) == 1


def test_another_owners_key_is_another_key(scene: Scene) -> None:
    """Nobody can find, block or read what somebody else has asked by guessing a key."""
    mine = scene.once(OWNER, REQUEST, KEYED)
    theirs = scene.once("bob", REQUEST, KEYED)

    assert not theirs.replayed
    assert theirs.head.id != mine.head.id


def test_a_key_whose_response_was_deleted_makes_no_other(scene: Scene) -> None:
    """Whatever brings the call again, it does not bring back, and pay for, what somebody has deleted."""
    made = scene.once(OWNER, REQUEST, KEYED)
    scene.ended(made.head)
    scene.delete(OWNER, made.head.id)

    with pytest.raises(InvalidRequest, match="is gone") as refused:
        scene.once(OWNER, REQUEST, KEYED)

    assert refused.value.narrow_code == "idempotency_key_reused"


def test_a_key_is_forgotten_after_a_day(scene: Scene) -> None:
    """From then on it is a new one, though its item may still be there: TTL comes late."""
    made = scene.once(OWNER, REQUEST, KEYED)

    scene.clock.advance(DAY - 1)
    assert scene.once(OWNER, REQUEST, KEYED).head.id == made.head.id
    scene.clock.advance(1)

    assert scene.once(OWNER, REQUEST, KEYED).head.id != made.head.id


def test_what_may_have_been_and_gone_is_not_made_again(scene: Scene) -> None:
    """A response with store=false can be gone without a trace while its key is still known."""
    unstored = replace(REQUEST, store=False)
    with pytest.raises(Crash):
        interrupted(scene, 1, die)(OWNER, unstored, KEYED)

    scene.clock.advance(10 * MINUTE)

    with pytest.raises(InvalidRequest, match="is gone"):
        scene.once(OWNER, unstored, KEYED)
    assert ids(scene) == set()


def test_what_cannot_be_stored_can_be_tried_again(scene: Scene) -> None:
    """The key waits for the response that it was taken for."""

    def unavailable(*_: object, **__: object) -> None:
        raise Unavailable("no answer")

    well = scene.stores
    scene.broken("responses", accept_once=unavailable)
    with pytest.raises(Unavailable):
        scene.once(OWNER, REQUEST, KEYED)
    scene.use(well)

    assert not scene.once(OWNER, REQUEST, KEYED).replayed
    assert len(ids(scene)) == 1


def test_an_sdks_retry_is_led_to_what_it_repeats(scene: Scene) -> None:
    """The SDK's hidden retry has no key: it is known by what it asks, and by saying that it is a retry."""
    made = scene.once(OWNER, REQUEST, FIRST)

    assert scene.once(OWNER, REQUEST, RETRY) == Taken(head=made.head, replayed=True)
    assert len(scene.queue.sent) == 1


@pytest.mark.parametrize("life", [life for life in LIVES if life != "was deleted"])
def test_a_retry_gets_a_response_however_far_it_is(scene: Scene, life: str) -> None:
    """Whether it runs or has ended is no reason to run it again."""
    made = scene.once(OWNER, REQUEST, FIRST)
    LIVES[life](scene, made.head)

    assert scene.once(OWNER, REQUEST, RETRY).head.id == made.head.id


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.FAILED])
def test_a_retry_is_not_led_to_what_has_no_answer(scene: Scene, status: Status) -> None:
    """Somebody pressed Stop, or saw it fail, and asks again: the gateway throttles, and the SDK retries."""
    made = scene.once(OWNER, REQUEST, FIRST)
    scene.ended(made.head, status)

    again = scene.once(OWNER, REQUEST, RETRY)

    assert not again.replayed
    assert scene.queue.sent[-1] == (again.head.id, OWNER, False)
    assert scene.once(OWNER, REQUEST, RETRY).head.id == again.head.id, "the newest is what is retried"


def test_a_retry_is_led_to_an_answer_that_was_cut(scene: Scene) -> None:
    """It is an answer, and was paid for."""
    made = scene.once(OWNER, REQUEST, FIRST)
    scene.ended(made.head, Status.INCOMPLETE)

    assert scene.once(OWNER, REQUEST, RETRY).head.id == made.head.id


def test_a_retry_that_would_be_led_to_what_cannot_be_read_runs(scene: Scene) -> None:
    """Damage to one response must not keep anybody from asking."""
    made = scene.once(OWNER, REQUEST, FIRST)

    def unreadable(*_: object, **__: object) -> None:
        raise Tampered("a sealed field that does not belong here")

    scene.broken("responses", record=unreadable)

    assert scene.once(OWNER, REQUEST, RETRY).head.id != made.head.id


@pytest.mark.parametrize("why", ["asked otherwise", "another's", "no retry", "too late", "deleted", "half"])
def test_a_retry_that_finds_nothing_is_a_call_like_any_other(scene: Scene, why: str) -> None:
    """It must be answered all the same."""
    made = scene.once(OWNER, REQUEST, FIRST).head
    owner, attempt = OWNER, RETRY
    if why == "asked otherwise":
        attempt = replace(RETRY, digest=b"another")
    elif why == "another's":
        owner = "bob"
    elif why == "no retry":
        attempt = FIRST
    elif why == "too late":
        scene.clock.advance(15 * MINUTE)
    elif why == "deleted":
        scene.ended(made)
        scene.delete(OWNER, made.id)
    else:
        scene.stores.responses.accept(made, None)  # type: ignore[arg-type]  # what a crash leaves behind

    taken = scene.once(owner, REQUEST, attempt)

    assert not taken.replayed
    assert taken.head.id != made.id
    assert scene.queue.sent[-1] == (taken.head.id, owner, False)


def test_a_retry_can_be_retried(scene: Scene) -> None:
    """The first call never arrived; the second did, and leaves a trace as any does."""
    made = scene.once(OWNER, REQUEST, RETRY)

    assert scene.once(OWNER, REQUEST, RETRY).head.id == made.head.id


def test_with_a_key_nothing_else_is_looked_at(scene: Scene) -> None:
    """Two calls with two keys want two responses, though an SDK may say that one of them is a retry."""
    made = scene.once(OWNER, REQUEST, KEYED)
    other = scene.once(OWNER, REQUEST, Attempt(digest=b"body", key="other", repeats=True))

    assert other.head.id != made.head.id
