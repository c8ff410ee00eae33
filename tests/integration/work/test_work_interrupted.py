"""Work, when a response is cancelled, the table is away, or the invocation's time ends: over moto."""

from typing import Any

import pytest

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.response import Head, Lease
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.responses import ResponseStore
from tests.integration.work.shop import OWNER, SOON, STOP, Shop

HEL = TextDelta("Hel")


def test_a_cancel_is_heard_while_the_model_is_silent(shop: Shop) -> None:
    """Nothing is written that could tell: the heartbeat finds out."""
    head: Head = shop.ask("model", [HEL, lambda: shop.cancel(OWNER, head.id), ...])

    assert shop.work(shop.taken(), heartbeat_seconds=0.01) == []

    assert shop.shown(head)["status"] == "cancelled"
    assert shop.models.running == 0
    assert shop.waiting() == 0


def test_the_heartbeat_keeps_a_lease_through_a_long_silence(shop: Shop) -> None:
    """Reasoning models are silent for minutes; whoever delivers the message again finds a live lease."""
    renewed: list[Lease] = []

    def wait_for_a_beat() -> None:
        before = shop.stores.leases.read(head.id)
        shop.clock.advance(29)
        while (now := shop.stores.leases.read(head.id)) == before:
            pass
        assert now is not None
        renewed.append(now)

    head: Head = shop.ask("model", [HEL, wait_for_a_beat, wait_for_a_beat, TextDelta("lo"), STOP])

    assert shop.work(shop.taken(), heartbeat_seconds=0.01) == []

    assert len(renewed) == 2
    assert shop.text(head) == "Hello"


def test_what_meets_the_wall_is_put_down_and_comes_back(shop: Shop) -> None:
    """New invocations begin just now, and the words so far are not lost to readers before."""
    head = shop.ask("model", [HEL, ...], [TextDelta("Hello"), STOP])

    assert shop.work(shop.taken(), until=SOON) == []

    lease = shop.stores.leases.read(head.id)
    assert lease is not None
    assert (lease.walls, lease.attempts, lease.until) == (1, 0, 0)
    assert (shop.text(head), shop.shown(head)["status"]) == ("Hel", "in_progress")
    assert (shop.waiting(), shop.waiting(solo=True)) == (1, 0)
    shop.work(shop.taken())
    assert shop.text(head) == "Hello"


def test_a_call_that_was_taken_late_is_given_an_invocation_to_itself(shop: Shop) -> None:
    """It met the wall twice, but whether a whole invocation is too short for it nobody knows yet."""
    head = shop.ask("model", [HEL, ...], [TextDelta("Hello"), STOP])
    for message in shop.taken():
        shop.queue.delete(message)
    lease = shop.stores.leases.claim(
        head.id, now=shop.clock(), until=shop.clock() + 30, nonce="first", alone=False
    )
    shop.stores.leases.give_back(head.id, lease, met_wall=True)

    def a_minute_later() -> None:
        shop.clock.advance(60)
        shop.queue.send(head.id, OWNER)

    shop.ask("opener", [a_minute_later, ...], [STOP])
    shop.work(shop.taken(), until=100, wall_margin_seconds=98, take_margin_seconds=0)

    assert (shop.waiting(), shop.waiting(solo=True)) == (1, 1)
    shop.work(shop.taken(solo=True))
    assert shop.text(head) == "Hello"


def test_the_second_wall_of_a_whole_invocation_is_the_end(shop: Shop) -> None:
    """A call that takes longer than a worker may run would be paid for again and again."""
    head = shop.ask("model", [HEL, ...])
    shop.work(shop.taken(), until=SOON)

    assert shop.work(shop.taken(), until=SOON) == []

    shown = shop.shown(head)
    assert (shown["status"], shown["error"]["code"]) == ("failed", "model_call_too_long")
    assert shop.waiting() == shop.waiting(solo=True) == 0
    assert shop.models.running == 0


def test_what_can_be_gone_on_with_may_meet_more_walls(shop: Shop) -> None:
    """It gets further each time, so a long answer is no hopeless one; its deadline ends it if need be."""
    head = shop.ask("model", [HEL, ...], [TextDelta("l"), ...], [TextDelta("o"), STOP])
    shop.models.continuing.add("model")
    shop.work(shop.taken(), until=SOON)
    shop.work(shop.taken(), until=SOON)

    shop.work(shop.taken(solo=True))

    assert (shop.shown(head)["status"], shop.text(head)) == ("completed", "Hello")
    assert shop.models.beginnings == ["", "Hel", "Hell"]


def test_what_is_claimed_behind_the_wall_is_put_down_unasked(shop: Shop) -> None:
    """And that does not count as a wall: no model had its chance."""
    head = shop.ask("model")

    assert shop.work(shop.taken(), until=0) == []

    lease = shop.stores.leases.read(head.id)
    assert lease is not None
    assert (lease.attempts, lease.until) == (0, 0)
    assert shop.models.asked["model"] == 0
    assert shop.waiting() + shop.waiting(solo=True) == 1


def test_the_wall_lets_those_end_that_are_done(shop: Shop) -> None:
    """One silent model must not cost the others their end."""
    silent, quick = shop.ask("silent", [HEL, ...]), shop.ask("quick")

    shop.work(shop.taken(), until=SOON)

    assert (shop.shown(silent)["status"], shop.shown(quick)["status"]) == ("in_progress", "completed")


@pytest.mark.parametrize(
    ("store", "method"),
    [
        pytest.param(LeaseStore, "claim", id="before the claim"),
        pytest.param(ResponseStore, "everything", id="before the fence"),
        pytest.param(LogStore, "append", id="at the fence"),
        pytest.param(ResponseStore, "end", id="behind the end"),
    ],
)
def test_a_table_that_is_away_for_a_moment_costs_no_answer(
    shop: Shop, store: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery comes back, and the next one answers; no attempt is counted where that can be said."""
    head = shop.ask("model")
    messages = shop.taken()

    def away(*args: Any, **kwargs: Any) -> None:
        raise Unavailable(f"{len(args)} {len(kwargs)}")

    with monkeypatch.context() as patch:
        patch.setattr(store, method, away)
        assert shop.work(messages) == messages
    shop.work(messages)

    assert shop.text(head) == "model says hi."
    assert shop.models.asked["model"] == 1


def test_a_wall_while_the_table_is_away_leaves_the_delivery_to_come_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease runs out by itself; nothing is lost."""
    head = shop.ask("model", [HEL, ...], [TextDelta("Hello"), STOP])
    messages = shop.taken()

    def away(*args: Any, **kwargs: Any) -> None:
        raise Unavailable(f"{len(args)} {len(kwargs)}")

    with monkeypatch.context() as patch:
        patch.setattr(LeaseStore, "give_back", away)
        assert shop.work(messages, until=SOON) == messages
    shop.clock.advance(31)
    shop.work(messages)

    assert shop.text(head) == "Hello"


def test_a_failed_send_after_the_wall_leaves_the_delivery_to_come_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is only deleted when another one stands for it."""
    head = shop.ask("model", [HEL, ...], [TextDelta("Hello"), STOP])
    messages = shop.taken()

    def away(*args: Any, **kwargs: Any) -> None:
        raise Unavailable(f"{len(args)} {len(kwargs)}")

    with monkeypatch.context() as patch:
        patch.setattr(shop.queue, "send", away)
        assert shop.work(messages, until=SOON) == messages
    assert shop.waiting() == 1
    shop.work(messages)

    assert shop.text(head) == "Hello"
