"""Puts the parts together, once per process and when first needed. The one place that reads the clock."""

import asyncio
import random
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from meanwhile import aws
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.operations.accept import Accept
from meanwhile.operations.accept_once import AcceptOnce
from meanwhile.operations.authenticate import Authenticate
from meanwhile.operations.browse import Browse
from meanwhile.operations.cancel import Cancel
from meanwhile.operations.cancel_all import CancelAll
from meanwhile.operations.claimed import Claim
from meanwhile.operations.delete import Delete
from meanwhile.operations.end_dead import EndDead
from meanwhile.operations.ending import Ending
from meanwhile.operations.overdue import Deadlines
from meanwhile.operations.read import Read
from meanwhile.operations.run import Ask, Run
from meanwhile.operations.sweep import Sweep
from meanwhile.operations.watch import Watch
from meanwhile.operations.work import Work
from meanwhile.providers.asking import Asking
from meanwhile.providers.catalogue import Catalogue
from meanwhile.providers.router import Providers
from meanwhile.queue import WorkQueue
from meanwhile.settings import Settings
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores
from meanwhile.storage.table import Item, bound_to, sharing
from meanwhile.tokens import Tokens
from meanwhile.vocabulary import Vocabularies

_DAY = 86_400

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
def providers() -> Providers:
    """Return who serves the models."""
    return Providers(catalogue(), settings(), vocabularies().estimate)


@cache
def ask() -> Asking:
    """Return what asks the model of a request."""
    return Asking(
        providers=providers(),
        patience_seconds=settings().patience_seconds,
        monotonic=time.monotonic,
        sleep=asyncio.sleep,
        jitter=random.random,
    )


@cache
def authenticate() -> Authenticate:
    """Return what knows who calls."""
    return Authenticate(
        ApiKeys(sharing(api_keys_in(settings().api_keys_table), items())),
        now=now,
        cache_seconds=settings().api_key_cache_seconds,
    )


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
    )


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
def queue() -> WorkQueue:
    """Return the queues."""
    return WorkQueue(
        lambda: aws_client("sqs"), work_url=settings().work_queue_url, solo_url=settings().solo_queue_url
    )


@cache
def ending() -> Ending:
    """Return what ends responses from outside."""
    return Ending(stores=stores(), now=now, unstored_retention_seconds=settings().unstored_retention_seconds)


@cache
def accept() -> Accept:
    """Return what takes requests."""
    return Accept(
        stores=stores(),
        queue=queue(),
        now=now,
        retention_seconds=settings().retention_days * _DAY,
        open_seconds=_open_seconds(),
        resend_seconds=settings().resend_seconds,
    )


@cache
def accept_once() -> AcceptOnce:
    """Return what takes requests, each once however often it is sent."""
    return AcceptOnce(
        stores=stores(),
        accept=accept(),
        read=read(),
        now=now,
        key_seconds=settings().idempotency_key_seconds,
        trace_seconds=settings().retry_seconds,
        unstored_retention_seconds=settings().unstored_retention_seconds,
    )


def _open_seconds() -> float:
    """Return how long a response can be open at the longest."""
    return settings().queue_deadline_seconds + settings().response_deadline_seconds + _DAY


@cache
def read() -> Read:
    """Return what finds responses."""
    return Read(stores=stores(), ending=ending(), now=now)


def watch(head: Head, request: Request) -> Watch:
    """Return what follows one response while it runs."""
    return Watch(stores(), read(), head, request)


@cache
def cancel() -> Cancel:
    """Return what cancels."""
    return Cancel(read=read(), ending=ending(), now=now)


@cache
def browse() -> Browse:
    """Return what lists responses."""
    return Browse(stores=stores(), now=now, open_seconds=_open_seconds())


@cache
def cancel_all() -> CancelAll:
    """Return what cancels everything of an owner."""
    return CancelAll(stores=stores(), cancel=cancel(), now=now, open_seconds=_open_seconds())


@cache
def delete() -> Delete:
    """Return what deletes."""
    return Delete(stores=stores(), read=read(), now=now)


@cache
def deadlines() -> Deadlines:
    """Return how long a response may take."""
    return Deadlines(
        in_queue=settings().queue_deadline_seconds,
        at_work=settings().response_deadline_seconds,
        max_attempts=settings().max_attempts,
    )


@cache
def sweep() -> Sweep:
    """Return the sweeper's work."""
    return Sweep(
        stores=stores(),
        ending=ending(),
        queue=queue(),
        now=now,
        resend_seconds=settings().resend_seconds,
        deadlines=deadlines(),
    )


@cache
def end_dead() -> EndDead:
    """Return what ends responses whose messages died."""
    return EndDead(stores=stores(), ending=ending(), now=now, deadlines=deadlines())


@cache
def work() -> Work:
    """Return the worker's work."""
    return work_with(
        settings(),
        stores=stores(),
        ending=ending(),
        queue=queue(),
        ask=ask(),
        continues=providers().continues,
        now=now,
    )


def work_with(
    chosen: Settings,
    *,
    stores: Stores,
    ending: Ending,
    queue: WorkQueue,
    ask: Ask,
    continues: Callable[[str], bool],
    now: Callable[[], float],
) -> Work:
    """Return the worker's work over given parts, as chosen in settings."""
    run = Run(
        ask=ask,
        now=now,
        response_deadline_seconds=chosen.response_deadline_seconds,
        max_attempts=chosen.max_attempts,
        commit_watched_seconds=chosen.commit_watched_seconds,
        commit_unwatched_seconds=chosen.commit_unwatched_seconds,
    )
    return Work(
        claim=Claim(
            stores=stores, ending=ending, now=now, lease_seconds=chosen.lease_seconds, continues=continues
        ),
        run=run,
        ending=ending,
        queue=queue,
        now=now,
        slots=chosen.slots,
        lease_seconds=chosen.lease_seconds,
        heartbeat_seconds=chosen.heartbeat_seconds,
        wall_margin_seconds=chosen.wall_margin_seconds,
        take_margin_seconds=chosen.take_margin_seconds,
        receive_wait_seconds=chosen.receive_wait_seconds,
    )


@cache
def aws_client(service: str) -> Any:
    """Return this process's client of a service."""
    return aws.client(service, settings())
