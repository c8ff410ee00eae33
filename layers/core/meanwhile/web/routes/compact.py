"""Compaction on demand: a long conversation in, a short one out."""

import logging

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from meanwhile import api, wiring
from meanwhile.web import errors
from meanwhile.web.attempts import attempt_of, is_known_again
from meanwhile.web.auth import Owner
from meanwhile.web.body import read_body
from meanwhile.web.compacting import compacted
from meanwhile.web.create import to_compact
from meanwhile.web.documents import FAILURES, IDEMPOTENT, returns, takes

logger = logging.getLogger(__name__)
router = APIRouter(tags=["Responses"])


@router.post("/responses/compact", operation_id="compactResponse",
             openapi_extra=takes("CompactResponse") | IDEMPOTENT,
             responses=FAILURES | returns("CompactedResponse"))  # fmt: skip
async def compact(request: Request, owner: Owner) -> Response:
    """Have a model sum up a conversation: give the `output` back as `input`, and go on behind it."""
    asked, digest = await run_in_threadpool(to_compact, await read_body(request), wiring.catalogue())
    await run_in_threadpool(wiring.expand().check, owner, asked)
    attempt = attempt_of(request.headers, digest)
    accept = api.accept_once()
    if not is_known_again(request.headers):
        errors.must_not_repeat(request)
    taken = await run_in_threadpool(accept, owner, asked, attempt)
    about = {"response_id": taken.head.id, "request_id": request.state.request_id}
    logger.info("compaction asked for again" if taken.replayed else "compaction accepted", extra=about)
    return await compacted(taken.head, asked)
