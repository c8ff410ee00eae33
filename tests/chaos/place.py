"""An engine, and on it the tables and queues of one play after the other."""

import gc
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import boto3
import pytest

from meanwhile.settings import Settings
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.dynamodb import sharing
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores, Threads
from meanwhile.storage.table import bound_to
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.thread_table import threads_in
from meanwhile.storage.threads import ThreadStore
from tests.chaos.clock import SharedClock
from tests.chaos.engine import Engine
from tests.chaos.service import Clients
from tests.support import aws

VISIBILITY_SECONDS = 900
"""As in the template: so long is a message hidden until its response is claimed."""

Queue = str
"""The URL of one."""


class Place:
    """A running engine with what every play shares; the process that has it must stay without threads."""

    def __enter__(self) -> Self:
        self._engine = Engine().__enter__()
        self._patch = pytest.MonkeyPatch()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": aws.REGION,
            "AWS_ENDPOINT_URL": self._engine.url,
        }.items():
            self._patch.setenv(name, value)
        self.clock: SharedClock = self._engine.clock
        self.aws: dict[str, Any] = {name: boto3.client(name) for name in ("dynamodb", "sqs", "kms", "s3")}
        self.keys: dict[str, Any] = aws.new_keys()
        self.bucket = aws.new_bucket()
        self.looking = bound_to("looking")
        self.clients = Clients.new(self._settings({}, table="", threads="", urls=["", ""]))
        gc.collect()
        gc.freeze()  # so that a collection writes to no page that forks share
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.undo()
        self._engine.__exit__(kind, error, trace)

    def new(self, settings: Mapping[str, Any]) -> "Tables":
        """Return empty tables and two empty queues."""
        table, threads = aws.new_table(), aws.new_threads_table()
        urls = [
            self.aws["sqs"].create_queue(
                QueueName=f"{name}-{uuid.uuid4().hex[:8]}",
                Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)},
            )["QueueUrl"]
            for name in ("work", "solo")
        ]
        return Tables(self, self._settings(settings, table=table, threads=threads, urls=urls))

    def _settings(self, given: Mapping[str, Any], *, table: str, threads: str, urls: list[str]) -> Settings:
        return Settings(
            responses_table=table,
            threads_table=threads,
            api_keys_table="",
            bucket=self.bucket,
            work_queue_url=urls[0],
            solo_queue_url=urls[1],
            commit_watched_seconds=0,
            commit_unwatched_seconds=0,
            local_api_keys=True,  # for a bucket in the path: the engine has one name only
            **self.keys,
            **given,
        )


@dataclass(frozen=True)
class Tables:
    """What one play writes to, seen from outside."""

    place: Place
    settings: Settings

    @property
    def clients(self) -> Clients:
        """What forked processes call AWS by."""
        return self.place.clients

    @property
    def queues(self) -> list[Queue]:
        """The work queue and the solo queue."""
        return [self.settings.work_queue_url, self.settings.solo_queue_url]

    def receive(self, queue: Queue) -> list[dict[str, Any]]:
        """Take messages, as records of the worker's event."""
        found = self.place.aws["sqs"].receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [
            {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
                "eventSourceARN": f"arn:aws:sqs:{aws.REGION}:123456789012:{queue.rpartition('/')[2]}",
            }
            for each in found.get("Messages", [])
        ]

    def delete(self, queue: Queue, record: dict[str, Any]) -> None:
        """Take from the queue what a worker is done with; what is gone already is no error, as on AWS."""
        sqs = self.place.aws["sqs"]
        with suppress(sqs.exceptions.ReceiptHandleIsInvalid):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=record["receiptHandle"])

    def purge(self) -> None:
        """Drop every message, hidden ones too."""
        for queue in self.queues:
            self.place.aws["sqs"].purge_queue(QueueUrl=queue)

    def waiting(self) -> int:
        """Return how many messages there are, hidden and delayed ones included."""
        names = [f"ApproximateNumberOfMessages{more}" for more in ("", "NotVisible", "Delayed")]
        found = [
            self.place.aws["sqs"].get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            for queue in self.queues
        ]
        return sum(int(each[name]) for each in found for name in names)

    def contents(self) -> list[dict[str, Any]]:
        """Return every item, raw."""
        items: list[dict[str, Any]] = self.place.aws["dynamodb"].scan(
            TableName=self.settings.responses_table
        )["Items"]
        return items

    def open(self) -> list[str]:
        """Return the ids that stand in the index of open responses."""
        return [item["response_id"]["S"] for item in self.contents() if "open_shard" in item]

    def objects(self, response_id: str) -> list[str]:
        """Return the keys of a response's objects in the bucket."""
        found = self.place.aws["s3"].list_objects_v2(
            Bucket=self.settings.bucket, Prefix=f"responses/{response_id}/"
        )
        return [each["Key"] for each in found.get("Contents", [])]

    @cached_property
    def keyring(self) -> Keyring:
        """Return the owners' keys, as this process opens them."""
        return Keyring(
            sharing(wrapped_keys_in(self.settings.owner_keys_table), self.place.looking),
            lambda: self.place.aws["kms"],
            master_key=self.settings.master_key,
            now=self.place.clock,
            cache_seconds=300,
            sealing_seconds=300,
        )

    @cached_property
    def stores(self) -> Stores:
        """Return the real stores over the table, of this process."""
        items = sharing(bound_to(self.settings.responses_table), self.place.looking)
        keyring = self.keyring
        blobs = Blobs(self.settings.bucket, lambda: self.place.aws["s3"])
        return Stores(
            ResponseStore(items, keyring, blobs, inline_bytes=self.settings.inline_bytes),
            LeaseStore(items),
            LogStore(items, keyring),
            MarkStore(items, keyring),
        )

    @cached_property
    def threads(self) -> Threads:
        """Return the real stores of threads, of this process."""
        parts = sharing(threads_in(self.settings.threads_table), self.place.looking)
        blobs = Blobs(self.settings.bucket, lambda: self.place.aws["s3"], folder="threads")
        log = ThreadLog(parts, self.keyring, blobs, inline_bytes=self.settings.inline_bytes)
        return Threads(
            ThreadStore(parts, self.keyring),
            log,
            ThreadBurial(parts, blobs),
            ThreadBirth(parts, self.keyring, log, blobs),
        )
