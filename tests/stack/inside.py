"""Looks into the table and the bucket of a stack, past the service."""

from typing import Any

from infra.local.client import LocalStack
from meanwhile.domain.log import Batch
from meanwhile.domain.response import Status
from tests.support.opened import history_of
from tests.support.waiting import eventually

Raw = dict[str, Any]
"""An item as DynamoDB's own API shows it."""


def parts_of(stack: LocalStack, response_id: str) -> dict[str, Raw]:
    """Return every item of a response, by part."""
    found = stack.boto("dynamodb").query(
        TableName=stack.physical_id("ResponsesTable"),
        KeyConditionExpression="response_id = :id",
        ExpressionAttributeValues={":id": {"S": response_id}},
        ConsistentRead=True,
    )
    return {item["part"]["S"]: item for item in found["Items"]}


def settled(stack: LocalStack, response_id: str) -> dict[str, Raw]:
    """Wait until the head of an ended response says so; return every item: all else was written before.

    Readers learn of the end from the log, while the worker has yet to write the result, and then the head.
    """

    def look() -> dict[str, Raw] | None:
        parts = parts_of(stack, response_id)
        return parts if parts["head"]["status"]["S"] != Status.QUEUED.value else None

    found = eventually(look)
    assert found is not None
    return found


def ids_of(stack: LocalStack, owner: str) -> list[str]:
    """Return the ids of an owner's responses."""
    found = stack.boto("dynamodb").scan(
        TableName=stack.physical_id("ResponsesTable"),
        FilterExpression="#owner = :owner",
        ExpressionAttributeNames={"#owner": "owner"},
        ExpressionAttributeValues={":owner": {"S": owner}},
    )
    return [item["response_id"]["S"] for item in found["Items"]]


def log_of(stack: LocalStack, response_id: str) -> list[Batch]:
    """Return the log of a response."""
    return history_of(stack, response_id)


def objects_of(stack: LocalStack, response_id: str) -> list[str]:
    """Return the keys of a response's objects in the bucket."""
    found = stack.boto("s3").list_objects_v2(Bucket=stack.physical_id("Bucket"))
    return [each["Key"] for each in found.get("Contents", []) if response_id in each["Key"]]


def lose_message(stack: LocalStack, response_id: str) -> None:
    """Take the message of a response off the queue, and whatever waits before it."""
    sqs, url = stack.boto("sqs"), stack.physical_id("WorkQueue")

    def lose_next() -> bool:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return any(response_id in message["Body"] for message in found)

    eventually(lose_next)


def lose_every_message(stack: LocalStack) -> None:
    """Empty the queue, of messages in flight too; SQS refuses to do it more often than once a minute."""
    stack.boto("sqs").purge_queue(QueueUrl=stack.physical_id("WorkQueue"))
