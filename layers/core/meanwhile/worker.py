"""Puts the worker together, once per process and when first needed."""

import asyncio
import random
import time
from collections.abc import Callable
from functools import cache

from meanwhile import wiring
from meanwhile.operations.context.build import Context
from meanwhile.operations.context.compact import Ask, Compact
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.running.claimed import Claim
from meanwhile.operations.running.run import Run
from meanwhile.operations.running.work import Work
from meanwhile.providers.asking import Asking
from meanwhile.providers.router import Providers
from meanwhile.queue import WorkQueue
from meanwhile.settings import Settings
from meanwhile.storage.stores import Stores


@cache
def providers() -> Providers:
    """Return who serves the models."""
    return Providers(wiring.catalogue(), wiring.settings(), wiring.vocabularies().estimate)


@cache
def ask() -> Asking:
    """Return what asks the model of a request."""
    return Asking(
        providers=providers(),
        patience_seconds=wiring.settings().patience_seconds,
        monotonic=time.monotonic,
        sleep=asyncio.sleep,
        jitter=random.random,
    )


@cache
def work() -> Work:
    """Return the worker's work."""
    return work_with(
        wiring.settings(),
        stores=wiring.stores(),
        ending=wiring.ending(),
        queue=wiring.queue(),
        ask=ask(),
        compact=Compact(ask=ask(), expand=wiring.expand(), measure=wiring.measure()),
        context=wiring.context(),
        continues=providers().continues,
        now=wiring.now,
    )


def work_with(
    chosen: Settings,
    *,
    stores: Stores,
    ending: Ending,
    queue: WorkQueue,
    ask: Ask,
    compact: Compact,
    context: Context | None = None,
    continues: Callable[[str], bool],
    now: Callable[[], float],
) -> Work:
    """Return the worker's work over given parts, as chosen in settings."""
    run = Run(
        ask=ask,
        compact=compact,
        context=context,
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
