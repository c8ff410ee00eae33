"""Compaction on demand: a long conversation in, a short one out."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from meanwhile.web.accepting import accepted
from meanwhile.web.auth import Owner
from meanwhile.web.compacting import compacted
from meanwhile.web.create import to_compact
from meanwhile.web.documents import FAILURES, IDEMPOTENT, returns, takes

router = APIRouter(tags=["Responses"])


@router.post("/responses/compact", operation_id="compactResponse",
             openapi_extra=takes("CompactResponse") | IDEMPOTENT,
             responses=FAILURES | returns("CompactedResponse"))  # fmt: skip
async def compact(request: Request, owner: Owner) -> Response:
    """Have a model sum up a conversation: give the `output` back as `input`, and go on behind it."""
    taken, asked = await accepted(request, owner, to_compact)
    return await compacted(taken.head, asked)
