"""Queues feed functions as Lambda's SQS event source does."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.sqs.models import Queue, SQSBackend

from infra.local import sqs as local_sqs
from infra.local.client import LocalStack
from infra.local.meter import Meter
from tests.stack.local.conftest import Latch
from tests.support.waiting import eventually

Send = Callable[..., str]
Noted = Callable[[str], list[dict[str, Any]]]
Shorten = Callable[[dict[str, Any]], None]


@pytest.fixture
def shorten(stack: LocalStack, sqs: Any) -> Shorten:
    """Let the visibility timeout of a delivered message end in a second, not in the queue's sixty."""

    def shorten(delivery: dict[str, Any]) -> None:
        handle = json.loads(delivery["record"])["receiptHandle"]
        queue = stack.physical_id("Work")
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1)

    return shorten


def is_empty(stack: LocalStack, sqs: Any, queue: str) -> bool:
    """Tell whether nothing is left in a queue, hidden messages included."""
    counts = sqs.get_queue_attributes(QueueUrl=stack.physical_id(queue), AttributeNames=["All"])["Attributes"]
    return {counts[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed")} == {"0"}


def test_a_message_arrives_as_a_record_and_is_deleted(
    stack: LocalStack, sqs: Any, send: Send, noted: Noted
) -> None:
    """The shape that Powertools and every handler read."""
    name = send()

    [delivery] = eventually(lambda: noted(name))

    record = json.loads(delivery["record"])
    assert json.loads(record["body"]) == {"id": name}
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":local-Work")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    assert {"messageId", "receiptHandle", "md5OfBody", "messageAttributes", "awsRegion"} <= set(record)
    eventually(lambda: is_empty(stack, sqs, "Work"))


def test_only_the_failed_message_comes_back(send: Send, noted: Noted, shorten: Shorten) -> None:
    """ReportBatchItemFailures: the rest of the batch is not run twice."""
    good, bad = send(), send(do="fail once")

    shorten(*eventually(lambda: noted(bad)))
    eventually(lambda: len(noted(bad)) == 2)
    deliveries = noted(bad)

    assert [delivery["part"] for delivery in deliveries] == ["delivery#1", "delivery#2"]
    assert len(noted(good)) == 1


def test_an_answer_that_names_no_message_of_the_batch_fails_all_of_it(
    send: Send, noted: Noted, shorten: Shorten
) -> None:
    """Lambda's rule: what it cannot read counts as a failure of everything."""
    name = send(do="nonsense once")

    shorten(*eventually(lambda: noted(name)))
    eventually(lambda: len(noted(name)) == 2)


def test_what_fails_too_often_is_dead(
    stack: LocalStack, sqs: Any, send: Send, noted: Noted, shorten: Shorten
) -> None:
    """The queue's maxReceiveCount is 2: after the second failure the message moves to the dead letters."""
    name = send(do="fail")

    def dead() -> bool:
        found = sqs.receive_message(
            QueueUrl=stack.physical_id("Dead"), MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return name in [json.loads(message["Body"])["id"] for message in found.get("Messages", [])]

    shorten(*eventually(lambda: noted(name)))
    shorten(*eventually(lambda: noted(name)[1:]))

    eventually(dead)
    assert len(noted(name)) == 2


def test_a_message_whose_worker_was_killed_is_delivered_again(
    stack: LocalStack, send: Send, noted: Noted, shorten: Shorten, latch: Latch
) -> None:
    """Nobody deletes it, so it comes back when its visibility ends."""
    name = send(do="hold", latch=latch.port)
    [first] = eventually(lambda: noted(name))
    latch.reached()

    stack.kill("WorkerFunction")
    latch.open()
    shorten(first)

    eventually(lambda: len(noted(name)) == 2)
    assert noted(name)[1]["pid"] != first["pid"]


def test_a_waiting_queue_hands_a_message_over_at_once(send: Send, noted: Noted) -> None:
    """Latency is measured end to end, so a long poll (20 s, we wait 15) must not sleep through it."""
    warm = send()
    eventually(lambda: noted(warm))

    name = send()

    eventually(lambda: noted(name))


class OnlyWoken(threading.Condition):
    """Never wakes by itself, only when it is notified."""

    def __init__(self) -> None:
        """Have nobody waiting."""
        super().__init__()
        self.entered = threading.Event()

    def wait(self, _: float | None = None) -> bool:
        """Wait to be notified, however soon the caller would look again."""
        self.entered.set()
        assert super().wait(15), "nobody has said that there is a message"
        return True


def test_a_long_poll_is_woken_by_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look from time to time would find it too, but later."""
    for owner, name in (
        (SQSBackend, "receive_message"),
        (SQSBackend, "change_message_visibility"),
        (Queue, "delete_message"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # so that they are put back
    local_sqs.improve(Meter())
    backend = SQSBackend("us-east-1", "123456789012")
    queue = backend.create_queue("work", {})
    queue._messages_lock = lock = OnlyWoken()
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(backend.receive_message, "work", 1, 20, 30)
        assert lock.entered.wait(15)

        sent = backend.send_message("work", "hello")

        assert [message.id for message in poll.result()] == [sent.id]
