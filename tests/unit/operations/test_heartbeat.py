"""The heartbeat keeps what is held, says what is lost, and ends with its block."""

import threading

import pytest

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.response import Head, Lease, Status
from meanwhile.operations.running.claimed import Claimed
from meanwhile.operations.running.heartbeat import VISIBILITY_MARGIN, Heartbeat
from meanwhile.queue import WorkMessage
from tests.unit.operations.scene import LEASE, OWNER, Scene


class Lost:
    """Counts how often it was told."""

    def __init__(self) -> None:
        self.times = 0
        self.heard = threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self.heard.set()


def unavailable(*args: object, **kwargs: object) -> Lease:
    """Stand for a table that does not answer."""
    raise Unavailable(f"{args} {kwargs}")


@pytest.fixture
def heartbeat(scene: Scene) -> Heartbeat:
    """Return one whose thread was not started: `beat` is called by hand."""
    return Heartbeat(scene.queue, every=5, lease_seconds=LEASE)


def held(scene: Scene, heartbeat: Heartbeat, lost: Lost) -> tuple[Head, Claimed, WorkMessage]:
    """Accept, claim and hold one response."""
    head = scene.accepted()
    claimed = scene.claimed(head)
    message = WorkMessage(response_id=head.id, owner=OWNER, receipt=head.id)
    heartbeat.hold(claimed, message, lost=lost)
    return head, claimed, message


def test_a_beat_renews_the_lease_and_hides_the_message_for_longer(scene: Scene, heartbeat: Heartbeat) -> None:
    """A redelivery must find the lease expired, and nobody may take what is being worked on."""
    lost = Lost()
    head, claimed, message = held(scene, heartbeat, lost)
    scene.clock.advance(5)

    heartbeat.beat()

    lease = scene.stores.leases.read(head.id)
    assert lease is not None
    assert lease.until == claimed.lease.until == scene.clock() + LEASE
    assert scene.queue.hidden == [([message], LEASE + VISIBILITY_MARGIN)]
    assert lost.times == 0


def test_one_call_hides_all_messages(scene: Scene, heartbeat: Heartbeat) -> None:
    """Fifty responses at work must not cost fifty calls a beat."""
    messages = [held(scene, heartbeat, Lost())[2] for _ in range(12)]

    heartbeat.beat()

    assert [hidden for hidden, _ in scene.queue.hidden] == [messages]


def test_a_claim_that_is_lost_is_told_once(scene: Scene, heartbeat: Heartbeat) -> None:
    """A worker that waits for a silent model hears of a cancel here, and nowhere else."""
    lost, other = Lost(), Lost()
    head, _, _ = held(scene, heartbeat, lost)
    _, _, message = held(scene, heartbeat, other)
    scene.ended(head, Status.CANCELLED)

    heartbeat.beat()
    heartbeat.beat()

    assert (lost.times, other.times) == (1, 0)
    assert [hidden for hidden, _ in scene.queue.hidden] == [[message], [message]]


def test_a_late_beat_does_not_renew_a_lease_given_back(scene: Scene, heartbeat: Heartbeat) -> None:
    """The next worker may claim at once."""
    head, claimed, _ = held(scene, heartbeat, Lost())
    claimed.give_back()

    heartbeat.beat()

    assert scene.claim(head.id, alone=False).lease.attempts == 1


def test_what_was_released_is_left_alone(scene: Scene, heartbeat: Heartbeat) -> None:
    """A response that is done with needs no lease."""
    _, claimed, _ = held(scene, heartbeat, Lost())
    before = claimed.lease
    heartbeat.release(claimed)
    scene.clock.advance(5)

    heartbeat.beat()

    assert claimed.lease == before
    assert scene.queue.hidden == []


def test_releasing_an_older_claim_keeps_the_newer_one_of_the_same_response(
    scene: Scene, heartbeat: Heartbeat
) -> None:
    """A response put down and delivered again to the same worker is held by its new claim."""
    head, older, message = held(scene, heartbeat, Lost())
    older.give_back()
    newer = scene.claimed(head)
    heartbeat.hold(newer, message, lost=Lost())
    scene.clock.advance(5)

    heartbeat.release(older)
    heartbeat.beat()

    assert newer.lease.until == scene.clock() + LEASE


def test_a_table_that_does_not_answer_is_waited_for_while_the_lease_lives(
    scene: Scene, heartbeat: Heartbeat
) -> None:
    """One failed call must not throw away minutes of a model's work."""
    scene.broken("leases", renew=unavailable)
    lost = Lost()
    held(scene, heartbeat, lost)

    scene.clock.advance(LEASE - 1)
    heartbeat.beat()
    assert lost.times == 0
    scene.clock.advance(1)
    heartbeat.beat()
    heartbeat.beat()

    assert lost.times == 1


def test_a_queue_that_does_not_answer_costs_no_lease(scene: Scene, heartbeat: Heartbeat) -> None:
    """At the worst the message comes twice."""
    lost = Lost()
    _, claimed, _ = held(scene, heartbeat, lost)
    scene.queue.out_of_order = True
    scene.clock.advance(5)

    heartbeat.beat()

    assert claimed.lease.until == scene.clock() + LEASE
    assert lost.times == 0


def test_a_beat_learns_who_watches(scene: Scene, heartbeat: Heartbeat) -> None:
    """A reader marks the lease; the worker writes more often from the next beat on."""
    head, claimed, _ = held(scene, heartbeat, Lost())
    assert not claimed.is_watched()
    stored = scene.stores.leases.read(head.id)
    assert stored is not None
    scene.stores.leases._rows[head.id].lease = Lease(  # type: ignore[attr-defined]  # the twin's
        epoch=stored.epoch, until=stored.until, attempts=1, watched_until=scene.clock() + 20
    )

    heartbeat.beat()

    assert claimed.is_watched()


def test_its_thread_beats_by_itself_and_ends_with_the_block(scene: Scene) -> None:
    """Lambda freezes whatever is left running, and thaws it in the middle of somebody else's work."""
    lost = Lost()
    heartbeat = Heartbeat(scene.queue, every=0.001, lease_seconds=LEASE)
    head, _, _ = held(scene, heartbeat, lost)

    with heartbeat:
        scene.ended(head, Status.CANCELLED)
        assert lost.heard.wait(5)

    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []


def test_its_thread_ends_when_the_block_fails(scene: Scene) -> None:
    """The same promise on the worst day."""
    with pytest.raises(ValueError, match="worst"), Heartbeat(scene.queue, every=60, lease_seconds=LEASE):
        raise ValueError("worst")

    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []


def test_a_bug_in_the_thread_lets_go_of_everything_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases would run out under model calls that go on and cost money."""
    lost = Lost()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    quick = Heartbeat(scene.queue, every=0.001, lease_seconds=LEASE)
    _, claimed, _ = held(scene, quick, lost)
    monkeypatch.setattr(claimed, "renew", lambda: 1 / 0)

    with quick:
        assert lost.heard.wait(5)
