"""Puts together what answers calls of the API, once per process and when first needed."""

import asyncio
import time
from functools import cache

from meanwhile import wiring
from meanwhile.operations.accepting.accept import Accept
from meanwhile.operations.accepting.accept_once import AcceptOnce
from meanwhile.operations.accounts.authenticate import Authenticate
from meanwhile.operations.context.fit import Fit
from meanwhile.operations.responses.browse import Browse
from meanwhile.operations.responses.cancel import Cancel
from meanwhile.operations.responses.cancel_all import CancelAll
from meanwhile.operations.responses.delete import Delete
from meanwhile.operations.responses.follow import Follow
from meanwhile.operations.responses.watch import Watches
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from meanwhile.storage.dynamodb import sharing
from meanwhile.storage.watches import WatchStore

_DAY = 86_400


@cache
def authenticate() -> Authenticate:
    """Return what knows who calls."""
    return Authenticate(
        ApiKeys(sharing(api_keys_in(wiring.settings().api_keys_table), wiring.items())),
        now=wiring.now,
        cache_seconds=wiring.settings().api_key_cache_seconds,
    )


@cache
def conversing() -> Conversing:
    """Return what can be done with threads: conversations, their items, and the place of a request."""
    chosen = wiring.settings()
    return Conversing.over(
        wiring.join(),
        wiring.read(),
        now=wiring.now,
        kept_seconds=chosen.retention_days * _DAY + chosen.open_seconds,
        key_seconds=chosen.idempotency_key_seconds,
        retry_seconds=chosen.retry_seconds,
        fit=Fit(recall=Recall(threads=wiring.threads()), measure=wiring.measure(), expand=wiring.expand()),
    )


@cache
def accept() -> Accept:
    """Return what takes requests."""
    return Accept(
        stores=wiring.stores(),
        queue=wiring.queue(),
        now=wiring.now,
        retention_seconds=wiring.settings().retention_days * _DAY,
        open_seconds=wiring.settings().open_seconds,
        resend_seconds=wiring.settings().resend_seconds,
        watch_seconds=wiring.settings().watch_seconds,
        resolve=conversing().resolve,
    )


@cache
def accept_once() -> AcceptOnce:
    """Return what takes requests, each once however often it is sent."""
    return AcceptOnce(
        stores=wiring.stores(),
        accept=accept(),
        read=wiring.read(),
        now=wiring.now,
        key_seconds=wiring.settings().idempotency_key_seconds,
        trace_seconds=wiring.settings().retry_seconds,
        unstored_retention_seconds=wiring.settings().unstored_retention_seconds,
    )


@cache
def follow() -> Follow:
    """Return what streams responses."""
    watches = Watches(
        watches=WatchStore(wiring.items()),
        leases=wiring.stores().leases,
        now=wiring.now,
        seconds=wiring.settings().watch_seconds,
        per_response=wiring.settings().streams_per_response,
        per_owner=wiring.settings().streams_per_owner,
    )
    return Follow(
        stores=wiring.stores(),
        read=wiring.read(),
        watches=watches,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        fast_seconds=wiring.settings().tail_fast_seconds,
        slow_seconds=wiring.settings().tail_slow_seconds,
        silence_seconds=wiring.settings().keep_alive_seconds,
        limit_seconds=wiring.settings().wait_limit_seconds,
    )


@cache
def cancel() -> Cancel:
    """Return what cancels."""
    return Cancel(read=wiring.read(), ending=wiring.ending(), now=wiring.now)


@cache
def browse() -> Browse:
    """Return what lists responses."""
    return Browse(stores=wiring.stores(), now=wiring.now, open_seconds=wiring.settings().open_seconds)


@cache
def cancel_all() -> CancelAll:
    """Return what cancels everything of an owner."""
    return CancelAll(
        stores=wiring.stores(), cancel=cancel(), now=wiring.now, open_seconds=wiring.settings().open_seconds
    )


@cache
def delete() -> Delete:
    """Return what deletes."""
    return Delete(
        stores=wiring.stores(),
        read=wiring.read(),
        now=wiring.now,
        forget=Forget(threads=wiring.threads(), now=wiring.now),
    )
