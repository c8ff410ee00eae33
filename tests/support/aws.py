"""Tables and queues on moto, inside the test's own process."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from meanwhile.queue import WorkQueue
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores
from meanwhile.storage.table import bound_to

REGION = "us-east-1"
BUCKET = "meanwhile-test"


@contextmanager
def moto_aws() -> Iterator[None]:
    """Keep every AWS call of this process inside it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            yield


def new_table() -> str:
    """Create an empty table with the keys and the index that the template gives it; return its name."""
    name = f"responses-{uuid.uuid4().hex[:8]}"
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "response_id", "AttributeType": "S"},
            {"AttributeName": "part", "AttributeType": "S"},
            {"AttributeName": "open_shard", "AttributeType": "S"},
            {"AttributeName": "due_at", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "response_id", "KeyType": "HASH"},
            {"AttributeName": "part", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open",
                "KeySchema": [
                    {"AttributeName": "open_shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    return name


def new_bucket() -> str:
    """Create the bucket."""
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    return BUCKET


def stores_on(table: str, *, inline_bytes: int = 200_000) -> Stores:
    """Return the real stores over a table."""
    items = bound_to(table)
    blobs = Blobs(BUCKET, lambda: boto3.client("s3", region_name=REGION))
    return Stores(ResponseStore(items, blobs, inline_bytes=inline_bytes), LeaseStore(items), LogStore(items))


def new_queues() -> tuple[WorkQueue, Any]:
    """Create work and solo queue; return them with the client, for tests that look inside."""
    sqs = boto3.client("sqs", region_name=REGION)
    urls = [
        sqs.create_queue(QueueName=f"{name}-{uuid.uuid4().hex[:8]}")["QueueUrl"] for name in ("work", "solo")
    ]
    return WorkQueue(lambda: sqs, work_url=urls[0], solo_url=urls[1]), sqs


def contents(table: str) -> list[dict[str, Any]]:
    """Return every item of a table, raw."""
    items: list[dict[str, Any]] = boto3.client("dynamodb", region_name=REGION).scan(TableName=table)["Items"]
    return items
