"""A caller that waits: signs of life, then the answer, all in one JSON body."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator

from starlette.concurrency import run_in_threadpool

from meanwhile import wiring
from meanwhile.domain.errors import RequestError, ServiceError
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.operations.responses.wait import Wait
from meanwhile.web.unexpected import Stopped

logger = logging.getLogger(__name__)

SIGN_OF_LIFE = b"\n"

_FIRST_POLL_SECONDS = 0.05
_SLOWER_AFTER_FAILURE = 4


async def body_when_ended(head: Head, request: Request) -> AsyncGenerator[bytes, None]:
    """Yield new lines for as long as the response runs, then the response object, ended or not.

    It was accepted, so whatever goes wrong here is no error for the caller: a wait that meets its limit,
    or cannot read, returns the object as it was last known. The server cancels this when the caller
    leaves; the response runs on.
    """
    wait = Wait(wiring.stores(), wiring.read(), head, request)
    with Stopped(response_id=head.id):
        async for _ in until_ended(wait, head.id):
            yield SIGN_OF_LIFE
    yield as_body(wait.as_known())


async def until_ended(wait: Wait, response_id: str) -> AsyncGenerator[None, None]:
    """Yield whenever it is time for a sign of life, until the response has ended or the wait its limit."""
    settings = wiring.settings()
    clock = asyncio.get_running_loop().time
    started = clock()
    silent_since = started
    pause = min(_FIRST_POLL_SECONDS, settings.poll_seconds)
    while clock() < started + settings.wait_limit_seconds:
        await asyncio.sleep(pause)
        pause = min(pause * 2, settings.poll_seconds)
        look = wait.read_on
        if clock() >= silent_since + settings.keep_alive_seconds:
            silent_since = clock()
            look = wait.look_up
            yield
        try:
            if await run_in_threadpool(look):
                break
        except RequestError:
            break
        except ServiceError as error:
            pause = settings.poll_seconds * _SLOWER_AFTER_FAILURE
            about = {"response_id": response_id, "error": type(error).__name__}
            logger.warning("could not read on", extra=about)


def as_body(found: Json) -> bytes:
    """Return a JSON body."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
