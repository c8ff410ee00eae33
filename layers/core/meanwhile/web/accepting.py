"""Requests of a model: read, checked, and taken once however often the same call comes."""

import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as Call

from meanwhile import api, wiring
from meanwhile.domain.attempt import Taken
from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web import errors
from meanwhile.web.attempts import attempt_of, is_known_again
from meanwhile.web.body import read_body

logger = logging.getLogger(__name__)


async def accepted(
    call: Call, owner: str, to_request: Callable[[bytes, Catalogue], tuple[Request, bytes]]
) -> tuple[Taken, Request]:
    """Return what was taken, now or by an earlier call like this one, and what it asks for.

    Raises:
        InvalidRequest: Something is wrong with it; `param` names what.
        Unavailable: It may have been taken; the answer says whether to try again.
    """
    asked, digest = await run_in_threadpool(to_request, await read_body(call), wiring.catalogue())
    await run_in_threadpool(wiring.expand().check, owner, asked)
    attempt = attempt_of(call.headers, digest)
    accept = api.accept_once()
    if not is_known_again(call.headers):
        errors.must_not_repeat(call)
    taken = await run_in_threadpool(accept, owner, asked, attempt)
    about = {"response_id": taken.head.id, "request_id": call.state.request_id}
    logger.info("response asked for again" if taken.replayed else "response accepted", extra=about)
    return taken, asked
