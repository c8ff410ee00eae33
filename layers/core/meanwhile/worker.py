"""Puts the worker together, once per process and when first needed."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from functools import cache

from meanwhile import wiring
from meanwhile.domain.model_events import ModelEvent
from meanwhile.domain.request import Request
from meanwhile.operations.claimed import Claim
from meanwhile.operations.ending import Ending
from meanwhile.operations.run import Ask, Run
from meanwhile.operations.work import Work
from meanwhile.providers.retry import stream_with_patience
from meanwhile.providers.router import Providers
from meanwhile.queue import WorkQueue
from meanwhile.settings import Settings
from meanwhile.storage.stores import Stores


@cache
def ask() -> Ask:
    """Return what asks the model of a request, patiently."""
    settings = wiring.settings()
    providers = Providers(wiring.catalogue(), settings, sleep=asyncio.sleep, clock=time.monotonic)

    def patiently(request: Request) -> AsyncGenerator[ModelEvent, None]:
        return stream_with_patience(
            providers.provider_for(request.model),
            request,
            monotonic=time.monotonic,
            sleep=asyncio.sleep,
            jitter=random.random,
            deadline_seconds=settings.patience_seconds,
        )

    return patiently


@cache
def work() -> Work:
    """Return the worker's work."""
    return work_with(
        wiring.settings(),
        stores=wiring.stores(),
        ending=wiring.ending(),
        queue=wiring.queue(),
        ask=ask(),
        now=wiring.now,
    )


def work_with(
    chosen: Settings,
    *,
    stores: Stores,
    ending: Ending,
    queue: WorkQueue,
    ask: Ask,
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
        claim=Claim(stores=stores, ending=ending, now=now, lease_seconds=chosen.lease_seconds),
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
