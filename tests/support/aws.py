"""Tables and queues on moto, inside the test's own process."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import boto3
import pytest
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler
from pynamodb.models import Model

from infra.local import quick
from meanwhile.queue import WorkQueue
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.dynamodb import sharing
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores, Threads
from meanwhile.storage.table import OwnerIndex, bound_to
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.thread_table import threads_in
from meanwhile.storage.threads import ThreadStore

REGION = "us-east-1"
BUCKET = "meanwhile-test"

_M = TypeVar("_M", bound=Model)
_CONNECTION = bound_to("the-tests-own")


@contextmanager
def moto_aws(before: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """Keep every AWS call of this process inside it.

    Moto's DynamoDB is not atomic under threads: requests are served one at a time. `before` is told the name
    of each, within its turn.
    """
    _quicken()
    lock, call = threading.RLock(), DynamoHandler.call_action

    def one_at_a_time(self: Any) -> Any:
        with lock:
            before(self.headers["X-Amz-Target"].split(".")[1])
            return call(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoHandler, "call_action", one_at_a_time)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            _master_key.cache_clear()
            yield


_quicken = cache(quick.improve)
"""Once, before the first request of this process."""


@cache
def client(service: str) -> Any:
    """Return the one client of a service that this process's tests share: making one takes long."""
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]  # any service


def connected(items: type[_M]) -> type[_M]:
    """Send this table's calls through the one connection of this process, and return it."""
    return sharing(items, _CONNECTION)


def new_table() -> str:
    """Create an empty table with the keys and the index that the template gives it; return its name."""
    name = f"responses-{uuid.uuid4().hex[:8]}"
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "response_id", "AttributeType": "S"},
            {"AttributeName": "part", "AttributeType": "S"},
            {"AttributeName": "open_shard", "AttributeType": "S"},
            {"AttributeName": "due_at", "AttributeType": "N"},
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "N"},
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
            },
            {
                "IndexName": "by_owner",
                "KeySchema": [
                    {"AttributeName": "owner", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": OwnerIndex.Meta.projection.non_key_attributes,
                },
            },
        ],
    )
    return name


def new_threads_table() -> str:
    """Create an empty table of threads with the keys and indexes that the template gives it."""
    name = f"threads-{uuid.uuid4().hex[:8]}"
    strings = ("thread_id", "part", "listed_for", "due_shard")
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            *({"AttributeName": each, "AttributeType": "S"} for each in strings),
            {"AttributeName": "active_at", "AttributeType": "N"},
            {"AttributeName": "due_at", "AttributeType": "N"},
        ],
        KeySchema=_keys("thread_id", "part"),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": _keys(*keys), "Projection": {"ProjectionType": "KEYS_ONLY"}}
            for name, keys in {
                "by_activity": ("listed_for", "active_at"),
                "due": ("due_shard", "due_at"),
            }.items()
        ],
    )
    return name


def _keys(partition: str, order: str) -> list[Any]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": order, "KeyType": "RANGE"}]


def new_bucket() -> str:
    """Create the bucket, or empty what other tests have left there; return its name."""
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=each["Key"])
    return BUCKET


def new_keys() -> dict[str, str]:
    """Create a table for owners' keys; return the settings that name it and the master key."""
    return {"owner_keys_table": new_owner_keys_table(), "master_key": _master_key()}


@cache
def _master_key() -> str:
    """Make the one master key of this moto: moto takes longer for it than most tests for all they do."""
    made: str = client("kms").create_key()["KeyMetadata"]["KeyId"]
    return made


def new_owner_keys_table() -> str:
    """Create an empty table for owners' keys; return its name."""
    name = f"owner-keys-{uuid.uuid4().hex[:8]}"
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "owner", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
    )
    return name


def new_api_keys_table() -> str:
    """Create a table for API keys; return its name."""
    name = f"api-keys-{uuid.uuid4().hex[:8]}"
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "key_hash", "AttributeType": "S"},
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "key_hash", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "owner",
                "KeySchema": [
                    {"AttributeName": "owner", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return name


def new_keyring(*, now: Callable[[], float] = lambda: 0.0, cache_seconds: float = 300) -> Keyring:
    """Return a keyring over a table and a master key of its own."""
    keys = new_keys()
    return Keyring(
        connected(wrapped_keys_in(keys["owner_keys_table"])),
        lambda: client("kms"),
        master_key=keys["master_key"],
        now=now,
        cache_seconds=cache_seconds,
        sealing_seconds=cache_seconds,
    )


def stores_on(table: str, *, inline_bytes: int = 200_000, keyring: Keyring | None = None) -> Stores:
    """Return the real stores over a table."""
    items = connected(bound_to(table))
    keys = keyring or new_keyring()
    blobs = Blobs(BUCKET, lambda: client("s3"))
    return Stores(
        ResponseStore(items, keys, blobs, inline_bytes=inline_bytes),
        LeaseStore(items),
        LogStore(items, keys),
        MarkStore(items, keys),
    )


def threads_on(table: str, *, inline_bytes: int = 200_000, keyring: Keyring | None = None) -> Threads:
    """Return the real stores of threads over a table."""
    parts, keys = connected(threads_in(table)), keyring or new_keyring()
    blobs = Blobs(BUCKET, lambda: client("s3"), folder="threads")
    log = ThreadLog(parts, keys, blobs, inline_bytes=inline_bytes)
    return Threads(
        ThreadStore(parts, keys),
        log,
        ThreadBurial(parts, blobs),
        ThreadBirth(parts, keys, log, blobs),
    )


def new_queues() -> tuple[WorkQueue, Any]:
    """Create work and solo queue; return them with the client, for tests that look inside."""
    sqs = client("sqs")
    urls = [
        sqs.create_queue(QueueName=f"{name}-{uuid.uuid4().hex[:8]}")["QueueUrl"] for name in ("work", "solo")
    ]
    return WorkQueue(lambda: sqs, work_url=urls[0], solo_url=urls[1]), sqs


def contents(table: str) -> list[dict[str, Any]]:
    """Return every item of a table, raw."""
    items: list[dict[str, Any]] = client("dynamodb").scan(TableName=table)["Items"]
    return items
