"""Puts the parts together, once per process and when first needed. The one place that reads the clock."""

import time
from functools import cache
from typing import Any

from meanwhile import aws
from meanwhile.domain.request import Json
from meanwhile.memory import is_short
from meanwhile.operations.context.build import Context
from meanwhile.operations.context.choose import Measure
from meanwhile.operations.context.expand import Expand
from meanwhile.operations.context.remembered import Remembered
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from meanwhile.providers.catalogue import Catalogue
from meanwhile.queue import WorkQueue
from meanwhile.settings import Settings
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.compactions import Compactions
from meanwhile.storage.dynamodb import sharing
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores, Threads
from meanwhile.storage.table import Item, bound_to
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.thread_table import threads_in
from meanwhile.storage.threads import ThreadStore
from meanwhile.tokens import AT_MOST, Tokens
from meanwhile.vocabulary import Vocabularies

now = time.time  # noqa: TID251  # the clock


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.from_env()


@cache
def catalogue() -> Catalogue:
    """Return the models this deployment can ask."""
    return Catalogue.load(has_upstream=bool(settings().model_base_url))


@cache
def vocabularies() -> Vocabularies:
    """Return what tokens are counted by; nothing is read yet."""
    return Vocabularies(settings().tiktoken_cache_dir)


def tokens(encoding: str) -> Tokens:
    """Return what counts tokens by one vocabulary, which is read now if it was not before."""
    return Tokens(vocabularies().counter(encoding))


@cache
def items() -> type[Item]:
    """Return the table of responses."""
    return bound_to(settings().responses_table)


@cache
def keyring() -> Keyring:
    """Return the owners' data keys."""
    return Keyring(
        sharing(wrapped_keys_in(settings().owner_keys_table), items()),
        lambda: aws_client("kms"),
        master_key=settings().master_key,
        now=now,
        cache_seconds=settings().key_cache_seconds,
        sealing_seconds=settings().sealing_key_cache_seconds,
    )


@cache
def expand() -> Expand:
    """Return what opens compaction items."""
    return Expand(Compactions(keyring()))


@cache
def stores() -> Stores:
    """Return where responses live."""
    blobs = Blobs(settings().bucket, lambda: aws_client("s3"))
    return Stores(
        ResponseStore(items(), keyring(), blobs, inline_bytes=settings().inline_bytes),
        LeaseStore(items()),
        LogStore(items(), keyring()),
        MarkStore(items(), keyring()),
    )


@cache
def threads() -> Threads:
    """Return where threads live."""
    parts = sharing(threads_in(settings().threads_table), items())
    blobs = Blobs(settings().bucket, lambda: aws_client("s3"), folder="threads")
    log = ThreadLog(parts, keyring(), blobs, inline_bytes=settings().inline_bytes)
    return Threads(
        ThreadStore(parts, keyring()),
        log,
        ThreadBurial(parts, blobs),
        ThreadBirth(parts, keyring(), log, blobs),
    )


@cache
def join() -> Join:
    """Return what adds responses to their threads."""
    return Join(
        threads=threads(),
        responses=stores().responses,
        recall=Recall(threads=threads()),
        count=count,
        now=now,
    )


def count(owner: str, model: str, item: Json) -> int:
    """Return what an item costs a model to read; of a compaction, what stands behind it."""
    counted = tokens(catalogue().encoding_of(model))
    return sum(counted.of_item(each) for each in expand().shown(owner, [item]))


@cache
def measure() -> Measure:
    """Return how requests are measured; no vocabulary is read before something is counted."""
    return Measure(
        window=lambda request: catalogue().window_for(request, otherwise=settings().context_window),
        at_most=AT_MOST.of_request,
        count=lambda request: tokens(catalogue().encoding_of(request.model)).of_request(request),
    )


@cache
def context() -> Context:
    """Return what finds out what a model is shown."""
    return Context(
        recall=Recall(threads=threads()),
        measure=measure(),
        expand=expand(),
        remembered=Remembered(
            most_bytes=settings().context_cache_bytes,
            seconds=settings().key_cache_seconds,
            now=now,
            is_short=lambda: is_short(settings().aws_lambda_function_memory_size),
        ),
    )


@cache
def queue() -> WorkQueue:
    """Return the queues."""
    return WorkQueue(
        lambda: aws_client("sqs"), work_url=settings().work_queue_url, solo_url=settings().solo_queue_url
    )


@cache
def ending() -> Ending:
    """Return what ends responses from outside."""
    return Ending(
        stores=stores(),
        now=now,
        unstored_retention_seconds=settings().unstored_retention_seconds,
        join=join(),
    )


@cache
def read() -> Read:
    """Return what finds responses."""
    return Read(stores=stores(), ending=ending(), now=now)


@cache
def aws_client(service: str) -> Any:
    """Return this process's client of a service."""
    return aws.client(service, settings())
