"""Sweep: the backstop of every promise made elsewhere, one branch after the other."""

from collections.abc import Callable

import pytest

from meanwhile.domain.errors import LogCorrupt, ResponseNotFound, Unavailable
from meanwhile.domain.ids import shard_of
from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.response import SHARDS, Head, Status
from meanwhile.operations.running import sweep
from meanwhile.storage.responses import Everything
from tests.unit.operations.scene import DAY, HOUR, KEPT, LEASE, MINUTE, OWNER, RESEND, Scene


def died_over(scene: Scene, head: Head, times: int = 1) -> None:
    """Let workers claim it and die."""
    for _ in range(times):
        scene.said(head, TextDelta("Hel"))
        scene.clock.advance(LEASE)


def test_what_is_not_due_is_left_alone(scene: Scene) -> None:
    """A response that was just accepted is on its way already."""
    scene.accepted()

    assert scene.sweep(after=RESEND - 1) == 0
    assert scene.queue.sent == []


def test_a_message_that_was_lost_is_sent_again_and_each_wait_is_twice_as_long(scene: Scene) -> None:
    """Every accepted response reaches an end; a long queue is not flooded meanwhile."""
    head = scene.accepted()
    at: list[float] = []

    for _ in range(20):
        scene.sweep(after=MINUTE)
        if scene.queue.sent:
            assert scene.queue.sent == [(head.id, OWNER, False)]
            scene.queue.sent.clear()
            at.append(scene.clock() - head.created_at)

    assert at == [RESEND, 3 * RESEND, 7 * RESEND, 15 * RESEND]


def test_after_a_first_attempt_it_is_sent_to_run_alone(scene: Scene) -> None:
    """It may be poisonous: it takes no neighbour along."""
    head = scene.accepted()
    died_over(scene, head)

    scene.sweep(after=RESEND)

    assert scene.queue.sent == [(head.id, OWNER, True)]


def test_one_that_was_put_down_on_purpose_is_not_a_second_attempt(scene: Scene) -> None:
    """Nobody died over it."""
    head = scene.accepted()
    scene.claimed(head).give_back()

    scene.sweep(after=RESEND)

    assert scene.queue.sent == [(head.id, OWNER, False)]


def test_what_a_busy_provider_put_down_is_not_sent_to_arrive_sooner(scene: Scene) -> None:
    """Each message that comes before its time costs an invocation, and is put back."""
    head = scene.accepted()
    scene.claimed(head).give_back(delay=RESEND + 100)

    scene.sweep(after=RESEND)

    assert (scene.queue.sent, scene.queue.delays[-1]) == ([(head.id, OWNER, False)], 100)


def test_a_live_lease_is_left_alone_and_looked_at_when_it_has_run_out(scene: Scene) -> None:
    """Liveness is what the lease says, never a guess."""
    head = scene.accepted()
    scene.clock.advance(RESEND)
    scene.claimed(head)

    scene.sweep()

    assert scene.queue.sent == []
    assert not scene.head(head).has_ended
    assert scene.head(head).due_at == scene.clock() + LEASE + RESEND


def test_a_head_that_did_not_follow_its_log_is_mended(scene: Scene) -> None:
    """A worker died between the two; nobody has to read it for that."""
    head = scene.accepted()
    scene.ended(head, mended=False)

    scene.sweep(after=RESEND)

    assert scene.head(head).status is Status.COMPLETED
    assert scene.head(head).due_at is None
    assert scene.queue.sent == []


@pytest.mark.parametrize(
    ("prepare", "wait", "code"),
    [
        pytest.param(lambda scene, head: None, DAY, "queue_deadline_exceeded", id="never tried"),  # noqa: ARG005
        pytest.param(died_over, HOUR, "deadline_exceeded", id="tried"),
        pytest.param(lambda s, head: died_over(s, head, 4), RESEND, "attempts_exhausted", id="too often"),
        pytest.param(
            lambda scene, head: scene.claimed(head).give_back(), HOUR, "deadline_exceeded", id="put down"
        ),
    ],
)
def test_what_nobody_will_finish_any_more_ends_as_failed(
    scene: Scene, prepare: Callable[[Scene, Head], None], wait: float, code: str
) -> None:
    """With a code that says which limit it was."""
    head = scene.accepted()
    prepare(scene, head)

    scene.sweep(after=wait)

    shown = scene.shown(head)
    assert (shown["status"], shown["error"]["code"]) == ("failed", code)
    assert scene.head(head).due_at is None
    assert scene.queue.sent == []


def test_an_outage_does_not_fail_what_was_never_tried(scene: Scene) -> None:
    """An hour without workers is no reason to give up; a day is."""
    head = scene.accepted()

    scene.sweep(after=DAY - 1)

    assert scene.shown(head)["status"] == "queued"


@pytest.mark.parametrize(
    ("prepare", "limit"),
    [
        pytest.param(lambda scene, head: None, DAY, id="in the queue"),  # noqa: ARG005
        pytest.param(lambda scene, head: scene.claimed(head).give_back(), HOUR, id="at work"),
    ],
)
def test_the_growing_wait_never_outgrows_the_deadline(
    scene: Scene, prepare: Callable[[Scene, Head], None], limit: float
) -> None:
    """After ten doublings the next look would be a day late, and the promise with it."""
    head = scene.accepted()
    prepare(scene, head)

    while scene.clock() < head.created_at + limit + 2 * MINUTE:
        scene.sweep(after=MINUTE)

    assert scene.shown(head)["status"] == "failed"


def test_the_growing_wait_never_outgrows_an_hour(scene: Scene) -> None:
    """Who dies over a response that had waited for hours is found soon all the same."""
    head = scene.accepted()
    for _ in range(12 * 60):
        scene.sweep(after=MINUTE)
    died_over(scene, head)
    scene.queue.sent.clear()

    for _ in range(60):
        scene.sweep(after=MINUTE)

    assert scene.queue.sent or scene.head(head).has_ended


def test_what_is_not_stored_is_buried_ten_minutes_after_its_end(scene: Scene) -> None:
    """TTL may come days late; a promise may not."""
    head = scene.accepted(store=False)
    scene.ended(head)

    scene.sweep(after=10 * MINUTE - 1)
    assert not scene.head(head).deleted
    scene.sweep(after=1)

    assert scene.head(head).deleted
    assert scene.facts(head) == []


def test_what_was_accepted_half_way_is_buried(scene: Scene) -> None:
    """Its caller was told that it failed; there is nothing to ask a model."""
    head = scene.accepted()
    scene.stores.responses.accept(head, None)  # type: ignore[arg-type]  # what a crash leaves behind

    scene.sweep(after=RESEND)

    assert scene.head(head).deleted
    assert scene.queue.sent == []


def test_an_entry_of_the_index_that_lags_is_not_believed(scene: Scene) -> None:
    """Indexes follow their table with a delay; the head is what counts."""
    open_one, ended = scene.accepted(), scene.accepted()
    scene.ended(ended)
    scene.broken("responses", due=lambda *_args, **_kwargs: [open_one.id, ended.id, "resp_ffff"])

    scene.sweep()

    assert scene.queue.sent == []
    assert scene.head(ended).status is Status.COMPLETED


@pytest.mark.parametrize("error", [LogCorrupt, Unavailable])
def test_what_is_wrong_with_one_keeps_no_other_waiting(scene: Scene, error: type[Exception]) -> None:
    """The sweeper is everybody's backstop."""
    heads = [scene.accepted() for _ in range(12)]
    bad = heads[0]
    everything = scene.stores.responses.everything

    def or_fails(response_id: str, *, request: bool) -> Everything | None:
        if response_id == bad.id:
            raise error("one bad response")
        return everything(response_id, request=request)

    scene.broken("responses", everything=or_fails)

    assert scene.sweep(after=RESEND) == 12
    assert {sent for sent, _, _ in scene.queue.sent} == {head.id for head in heads[1:]}


def test_a_queue_that_fails_is_tried_again_a_minute_later(scene: Scene) -> None:
    """A send that failed must not count as one."""
    head = scene.accepted()
    scene.queue.out_of_order = True
    scene.sweep(after=RESEND)
    scene.queue.out_of_order = False

    scene.sweep(after=MINUTE)

    assert scene.queue.sent == [(head.id, OWNER, False)]


def test_every_shard_and_every_page_is_looked_at(scene: Scene) -> None:
    """After an outage there is more than one page."""
    heads = {scene.accepted().id for _ in range(130 * SHARDS)}

    assert scene.sweep(after=RESEND) == len(heads)
    assert {sent for sent, _, _ in scene.queue.sent} == heads


def test_it_stops_when_its_time_is_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that is killed in the middle of a write mends nothing."""
    monkeypatch.setattr(sweep, "_AT_ONCE", 1)  # or others begin while one has yet to move the clock
    for _ in range(40):
        scene.accepted()
    everything = scene.stores.responses.everything

    def slowly(response_id: str, *, request: bool) -> Everything | None:
        scene.clock.advance(4)
        return everything(response_id, request=request)

    scene.broken("responses", everything=slowly)

    assert scene.sweep(after=RESEND) == 3  # it has ten seconds


def test_two_sweeps_at_once_send_at_most_once_more(scene: Scene) -> None:
    """The schedule may fire twice; the wait is doubled once."""
    head = scene.accepted()
    scene.clock.advance(RESEND)
    everything = scene.stores.responses.everything
    others: list[int] = []

    def interrupted(response_id: str, *, request: bool) -> Everything | None:
        found = everything(response_id, request=request)
        if not others:
            others.append(1)
            scene.sweep()
        return found

    scene.broken("responses", everything=interrupted)
    scene.sweep()

    assert len(scene.queue.sent) == 2
    assert scene.head(head).resends == 1


def test_nothing_that_ended_is_looked_at_twice(scene: Scene) -> None:
    """What has ended must never cost a look again, until it is gone."""
    head = scene.accepted()
    scene.ended(head)

    assert scene.sweep(after=KEPT) == 0
    with pytest.raises(ResponseNotFound):
        scene.shown(head)


def corrupt(response_id: str, *, request: bool) -> Everything | None:
    raise LogCorrupt(f"{response_id} {request}")


def test_a_log_that_cannot_be_read_is_set_aside_and_ends_when_overdue(scene: Scene) -> None:
    """At once would be hasty: during a deployment an older sweeper may read what a newer worker wrote."""
    head = scene.accepted()
    scene.broken("responses", everything=corrupt)

    scene.sweep(after=RESEND)
    assert scene.head(head).status is Status.QUEUED
    assert scene.sweep() == 0

    scene.sweep(after=DAY)
    assert scene.head(head).status is Status.FAILED


def test_a_log_that_cannot_be_read_is_left_to_who_holds_its_lease(scene: Scene) -> None:
    """Whoever writes it can read it, and sees it to its end."""
    head = scene.accepted()
    claimed = scene.said(head, TextDelta("Hel"))
    scene.clock.advance(DAY - LEASE)
    claimed.renew()
    scene.broken("responses", everything=corrupt)

    scene.sweep(after=LEASE - 1)

    assert scene.head(head).status is Status.QUEUED


def test_a_flood_in_one_shard_keeps_no_other_waiting(scene: Scene) -> None:
    """The shards take turns, a page each."""
    flood = [scene.accepted() for _ in range(400)]
    everything = scene.stores.responses.everything
    looked: list[str] = []

    def slowly(response_id: str, *, request: bool) -> Everything | None:
        looked.append(response_id)
        return everything(response_id, request=request)

    scene.broken("responses", everything=slowly)
    scene.sweep(after=RESEND)

    pages = [{shard_of(each, SHARDS) for each in looked[start : start + 60]} for start in (0, 100, 200, 300)]
    assert len(set.union(*pages)) == SHARDS
    assert len(flood) == len(set(looked))
