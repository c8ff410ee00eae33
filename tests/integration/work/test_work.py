"""Work: one invocation of the worker, many responses at a time, over moto."""

import logging
import threading
from collections.abc import Callable

import pytest

from meanwhile.domain.errors import ProviderBusy
from meanwhile.domain.model_events import TextDelta
from meanwhile.queue import WorkMessage
from tests.integration.work.shop import OWNER, STOP, Shop, meeting

HEL = TextDelta("Hel")


def test_a_batch_is_answered_and_its_messages_are_gone(shop: Shop) -> None:
    """The plain good day."""
    heads = [shop.ask(f"model-{n}") for n in range(3)]

    again = shop.work(shop.taken())

    assert again == []
    assert [shop.text(head) for head in heads] == [f"model-{n} says hi." for n in range(3)]
    assert shop.waiting() == shop.waiting(solo=True) == 0


def test_a_batch_runs_at_the_same_time(shop: Shop) -> None:
    """Each model waits for the other two to be asked: one after the other would wait for ever."""
    met = meeting(3)
    heads = [shop.ask(f"model-{n}", [HEL, met, STOP]) for n in range(3)]

    shop.work(shop.taken())

    assert [shop.shown(head)["status"] for head in heads] == ["completed"] * 3
    assert shop.models.most_running == 3


def test_a_worker_takes_more_from_the_queue_while_it_works(shop: Shop) -> None:
    """An execution that waits anyway can wait for many: the first model waits for a question asked later."""
    met = meeting(2)
    later = []
    first = shop.ask("first", [lambda: later.append(shop.ask("later", [met, HEL, STOP])), met, HEL, STOP])

    assert shop.work(shop.taken()) == []

    assert [shop.text(head) for head in (first, *later)] == ["Hel", "Hel"]
    assert shop.waiting() == 0


def test_no_more_is_taken_than_there_are_slots(shop: Shop) -> None:
    """What is taken and not run is kept from others."""
    said = threading.Semaphore(0)
    last = shop.ask("last", [lambda: [said.acquire(timeout=5) for _ in range(6)], HEL, STOP])
    messages = shop.taken()
    heads = [last, *(shop.ask(f"model-{n}", [HEL, said.release, STOP]) for n in range(6))]

    shop.work(messages, slots=3)

    assert [shop.shown(head)["status"] for head in heads] == ["completed"] * 7
    assert shop.models.most_running <= 3


def test_nothing_more_is_taken_when_little_time_is_left(shop: Shop) -> None:
    """It would be put down again soon."""
    heads = [shop.ask(f"model-{n}") for n in range(3)]

    shop.work(shop.taken(1), until=5)

    assert sorted(shop.shown(head)["status"] for head in heads) == ["completed", "queued", "queued"]
    assert shop.waiting() == 2


def test_a_message_delivered_twice_is_answered_once(shop: Shop) -> None:
    """SQS promises at least once; the provider's bill should say exactly once."""
    head = shop.ask("model")
    (message,) = shop.taken()

    assert shop.work([message, message]) == []
    assert shop.work([message]) == []

    assert shop.models.asked["model"] == 1
    assert shop.text(head) == "model says hi."


def test_two_workers_with_the_same_message_ask_once(shop: Shop) -> None:
    """The second finds a live lease and drops its delivery."""
    messages: list[WorkMessage] = []
    head = shop.ask("model", [lambda: shop.work(messages), HEL, STOP])
    messages += shop.taken()

    shop.work(messages)

    assert shop.models.asked["model"] == 1
    assert shop.text(head) == "Hel"


def test_a_message_of_a_deleted_response_is_dropped(shop: Shop) -> None:
    """There is nobody to answer."""
    head = shop.ask("model")
    shop.cancel(OWNER, head.id)
    shop.stores.responses.bury(head, now=shop.clock())

    assert shop.work(shop.taken()) == []

    assert shop.models.asked["model"] == 0
    assert shop.waiting() == 0


def test_a_second_attempt_in_company_is_sent_to_run_alone(shop: Shop) -> None:
    """It may be poisonous; its neighbours are answered meanwhile."""
    tried, fresh = shop.ask("tried"), shop.ask("fresh")
    shop.died_over(tried)

    shop.work(shop.taken())

    assert (shop.shown(fresh)["status"], shop.shown(tried)["status"]) == ("completed", "queued")
    assert shop.waiting() == 0
    assert shop.waiting(solo=True) == 1
    shop.work(shop.taken(solo=True))
    assert shop.text(tried) == "tried says hi."
    assert shop.waiting(solo=True) == 0


def test_a_second_attempt_takes_no_neighbours_on(shop: Shop) -> None:
    """Whoever dies with it would die for nothing."""
    tried = shop.ask("tried", [HEL, STOP])
    messages = shop.taken()
    fresh = shop.ask("fresh")
    shop.died_over(tried)

    shop.work(messages)

    assert (shop.shown(tried)["status"], shop.shown(fresh)["status"]) == ("completed", "queued")
    assert shop.waiting() == 1


def test_a_busy_provider_puts_it_down_and_it_comes_back(shop: Shop) -> None:
    """Not as an attempt, and nobody waits for it."""
    head = shop.ask("model", [ProviderBusy("Too many requests.", retry_after=0.5)], [HEL, STOP])

    assert shop.work(shop.taken()) == []
    shop.work(shop.taken())  # unless it came back to the same worker

    lease = shop.stores.leases.read(head.id)
    assert lease is not None
    assert (lease.attempts, shop.text(head)) == (1, "Hel")


def test_a_busy_providers_delay_is_kept_by_queue_and_sweeper(shop: Shop) -> None:
    """It asked to be left alone."""
    head = shop.ask("model", [ProviderBusy("Too many requests.", retry_after=300)])

    shop.work(shop.taken())

    record = shop.stores.responses.record(head.id)
    assert record is not None
    assert (record.head.due_at or 0) >= shop.clock() + 300
    assert (shop.waiting(), shop.taken()) == (1, [])


def test_a_copy_of_the_message_is_no_quicker_than_a_busy_providers_delay(shop: Shop) -> None:
    """What waits for long in the queue is sent twice; the copy keeps, should the other message be lost."""
    head = shop.ask("model", [ProviderBusy("Too many requests.", retry_after=300)], [HEL, STOP])
    shop.work(shop.taken())
    shop.queue.send(head.id, OWNER)
    copy = shop.taken()

    shop.clock.advance(240)
    assert shop.work(copy) == copy
    assert (shop.models.asked["model"], shop.waiting(), shop.taken()) == (1, 2, [])

    shop.clock.advance(60)
    assert shop.work(copy) == []
    assert (shop.text(head), shop.waiting()) == ("Hel", 1)


def bug() -> None:
    """Stand for a mistake of ours."""
    raise ValueError("a secret")


@pytest.mark.parametrize("fault", [ValueError("a secret"), bug], ids=["in it", "beside it"])
def test_a_bug_in_one_response_hurts_no_other(
    shop: Shop, fault: ValueError | Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Its message comes back, the others are answered, and no log quotes what it said."""
    bad, good = shop.ask("bad", [HEL, fault]), shop.ask("good")
    messages = shop.taken()

    with caplog.at_level(logging.ERROR):
        again = shop.work(messages)

    assert [message.response_id for message in again] == [bad.id]
    assert shop.text(good) == "good says hi."
    assert shop.waiting() == 1
    (record,) = caplog.records
    assert "ValueError" in vars(record)["error"]
    assert "secret" not in caplog.text + str(vars(record))


def test_after_a_bug_it_is_tried_alone_until_the_attempts_are_used_up(shop: Shop) -> None:
    """A poisonous response ends as failed, with nobody beside it."""
    head = shop.ask("bad", [ValueError("bug")])
    (message,) = shop.taken()

    for _ in range(5):
        shop.work([message])
        shop.clock.advance(31)

    assert shop.models.asked["bad"] == 4
    assert shop.shown(head)["error"]["code"] == "attempts_exhausted"


def test_no_message_is_no_work(shop: Shop) -> None:
    """All of a batch can be somebody else's messages."""
    assert shop.work([]) == []
