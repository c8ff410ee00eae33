"""A caller that waits: signs of life, then the answer, all in one JSON body."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator

from starlette.concurrency import run_in_threadpool

from meanwhile import wiring
from meanwhile.domain.answer import Answer
from meanwhile.domain.errors import RequestError, ServiceError
from meanwhile.domain.log import Tip
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.domain.wire import of_answer
from meanwhile.web.unexpected import Stopped

logger = logging.getLogger(__name__)

RUNNING = frozenset({"queued", "in_progress"})

_FIRST_POLL_SECONDS = 0.05
_SLOWER_AFTER_FAILURE = 4


class Watch:
    """What is known of a running response, and two ways to learn more."""

    def __init__(self, head: Head, request: Request) -> None:
        self._head = head
        self._request = request
        self._tip = Tip()
        self._answer = Answer(head.id, head.background)
        self._found: Json | None = None

    def read_on(self) -> bool:
        """Read the log from where the last reading ended: one call; return whether the response has ended.

        Raises:
            Unavailable: The log could not be read.
            LogCorrupt: It breaks a rule.
        """
        for batch in wiring.stores().log.read(self._head.id, after=self._tip.number - 1):
            self._tip = self._tip.after(batch)
            for fact in batch.facts:
                self._answer.apply(fact)
        return self._answer.end is not None

    def look_up(self) -> bool:
        """Read the response as a whole: what was deleted or ended without us shows only there.

        Raises:
            ResponseNotFound: It was deleted.
            Unavailable, LogCorrupt: As above.
        """
        found = wiring.read()(self._head.owner, self._head.id)
        if found["status"] not in RUNNING:
            self._found = found
        return self._found is not None

    def as_known(self) -> Json:
        """Return the response object as of the last successful reading."""
        if self._found is not None and self._answer.end is None:
            return self._found
        return of_answer(self._head, self._request, self._answer)


async def body_when_ended(head: Head, request: Request) -> AsyncGenerator[bytes, None]:
    """Yield new lines for as long as the response runs, then the response object, ended or not.

    It was accepted, so whatever goes wrong here is no error for the caller: a wait that meets its limit,
    or cannot read, returns the object as it was last known. The server cancels this when the caller
    leaves; the response runs on.
    """
    settings = wiring.settings()
    watch = Watch(head, request)
    clock = asyncio.get_running_loop().time
    started = clock()
    silent_since = started
    pause = min(_FIRST_POLL_SECONDS, settings.poll_seconds)
    with Stopped(response_id=head.id):
        while clock() < started + settings.wait_limit_seconds:
            await asyncio.sleep(pause)
            pause = min(pause * 2, settings.poll_seconds)
            look = watch.read_on
            if clock() >= silent_since + settings.keep_alive_seconds:
                silent_since = clock()
                look = watch.look_up
                yield b"\n"
            try:
                if await run_in_threadpool(look):
                    break
            except RequestError:
                break
            except ServiceError as error:
                pause = settings.poll_seconds * _SLOWER_AFTER_FAILURE
                about = {"response_id": head.id, "error": type(error).__name__}
                logger.warning("could not read on", extra=about)
    yield json.dumps(watch.as_known(), ensure_ascii=False, separators=(",", ":")).encode()
