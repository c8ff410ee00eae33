"""EndDead: what was delivered too often ends, unless somebody is at it."""

import pytest

from meanwhile.domain.errors import LogCorrupt, Unavailable
from meanwhile.domain.log import Batch
from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.response import Head, Status
from tests.unit.operations.scene import DAY, LEASE, OWNER, RESEND, Scene


def test_what_workers_kept_dying_over_ends_as_failed(scene: Scene) -> None:
    """No reader waits for ever."""
    head = scene.accepted()
    for _ in range(4):
        scene.said(head, TextDelta("Hel"))
        scene.clock.advance(LEASE)

    assert scene.end_dead(head.id)

    shown = scene.shown(head)
    assert (shown["status"], shown["error"]["code"]) == ("failed", "attempts_exhausted")
    assert scene.head(head).status is Status.FAILED


def test_an_outage_does_not_fail_what_was_never_tried(scene: Scene) -> None:
    """Ten deliveries that could not even claim it make a dead letter, and say nothing about it."""
    head = scene.accepted()
    scene.clock.advance(RESEND - 10)

    assert scene.end_dead(head.id)

    assert scene.shown(head)["status"] == "queued"
    assert scene.sweep() == 1
    assert scene.queue.sent == [(head.id, OWNER, False)]


def test_what_was_never_tried_in_a_day_ends_as_failed(scene: Scene) -> None:
    """And says that it waited, not that it was tried."""
    head = scene.accepted()
    scene.clock.advance(DAY)

    assert scene.end_dead(head.id)

    assert scene.shown(head)["error"]["code"] == "queue_deadline_exceeded"


def test_while_a_lease_lives_it_asks_again(scene: Scene) -> None:
    """A message can die while its response is doing well."""
    head = scene.accepted()
    scene.said(head, TextDelta("Hel"))
    scene.clock.advance(LEASE - 1)

    assert not scene.end_dead(head.id)

    assert scene.shown(head)["status"] == "in_progress"


def test_an_end_in_the_log_is_mended_and_not_replaced(scene: Scene) -> None:
    """The log decides, also for the dead."""
    head = scene.accepted()
    scene.ended(head, mended=False)
    scene.clock.advance(LEASE)

    assert scene.end_dead(head.id)

    assert scene.head(head).status is Status.COMPLETED
    assert scene.text(head) == "Hello"


def test_a_log_that_cannot_be_read_ends_in_the_head(scene: Scene) -> None:
    """Nothing can be written behind it; the reader is told all the same."""
    head = scene.accepted()

    def corrupt(*args: object, **kwargs: object) -> list[Batch]:
        raise LogCorrupt(f"{args} {kwargs}")

    scene.broken("log", read=corrupt)

    assert scene.end_dead(head.id)
    assert scene.head(head).status is Status.QUEUED  # it may be read by a newer version

    scene.clock.advance(DAY)
    assert scene.end_dead(head.id)
    shown = scene.shown(head)
    assert (shown["status"], shown["error"]["code"]) == ("failed", "server_error")


def test_a_table_that_does_not_answer_is_asked_again(scene: Scene) -> None:
    """One dead letter must not keep the others of its batch."""
    head = scene.accepted()

    def unavailable(*args: object) -> Head:
        raise Unavailable(f"{args}")

    scene.broken("responses", head=unavailable)

    assert not scene.end_dead(head.id)


@pytest.mark.parametrize("what", ["ended", "deleted", "unknown"])
def test_what_is_over_stays_as_it_is(scene: Scene, what: str) -> None:
    """A dead letter may come days later."""
    head = scene.accepted()
    scene.ended(head)
    if what == "deleted":
        scene.delete(OWNER, head.id)
    before = scene.head(head)

    assert scene.end_dead("resp_ffff" if what == "unknown" else head.id)

    assert scene.head(head) == before
