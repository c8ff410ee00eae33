"""Queues feed functions as Lambda's SQS event source does."""

import json
from collections.abc import Callable
from typing import Any

from infra.local.client import LocalStack
from tests.support.waiting import eventually

Send = Callable[..., str]
Noted = Callable[[str], list[dict[str, Any]]]


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


def test_only_the_failed_message_comes_back(send: Send, noted: Noted) -> None:
    """ReportBatchItemFailures: the rest of the batch is not run twice."""
    good, bad = send(), send(do="fail once")

    eventually(lambda: len(noted(bad)) == 2)
    deliveries = noted(bad)

    assert [delivery["part"] for delivery in deliveries] == ["delivery#1", "delivery#2"]
    assert len(noted(good)) == 1


def test_an_answer_that_names_no_message_of_the_batch_fails_all_of_it(send: Send, noted: Noted) -> None:
    """Lambda's rule: what it cannot read counts as a failure of everything."""
    name = send(do="nonsense")

    eventually(lambda: len(noted(name)) == 2)


def test_what_fails_too_often_is_dead(stack: LocalStack, sqs: Any, send: Send, noted: Noted) -> None:
    """The queue's maxReceiveCount is 2: after the second failure the message moves to the dead letters."""
    name = send(do="fail")

    def dead() -> bool:
        found = sqs.receive_message(
            QueueUrl=stack.physical_id("Dead"), MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return name in [json.loads(message["Body"])["id"] for message in found.get("Messages", [])]

    eventually(dead)
    assert len(noted(name)) == 2


def test_a_message_whose_worker_was_killed_is_delivered_again(
    stack: LocalStack, send: Send, noted: Noted
) -> None:
    """Nobody deletes it, so it comes back when its visibility ends."""
    name = send(do="sleep", seconds=0.9)
    [first] = eventually(lambda: noted(name))

    stack.kill("WorkerFunction")

    eventually(lambda: len(noted(name)) == 2)
    assert noted(name)[1]["pid"] != first["pid"]


def test_a_waiting_queue_hands_a_message_over_at_once(send: Send, noted: Noted) -> None:
    """Latency is measured end to end, so a long poll must not sleep through a message."""
    warm = send()
    eventually(lambda: noted(warm))

    name = send()

    eventually(lambda: noted(name), within=0.5)
