"""All responses of an owner: listed, and cancelled."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import JSONResponse

from meanwhile import api
from meanwhile.operations.responses.browse import Wanted
from meanwhile.web.auth import Owner
from meanwhile.web.documents import FAILURES, returns

router = APIRouter(tags=["Responses"])


@router.get("/responses", operation_id="listResponses", responses=FAILURES | returns("ResponseList"))
def browse(
    owner: Owner,
    status: Annotated[
        Wanted | SkipJsonSchema[None],
        Query(description="Only these; `open` is `queued` or `in_progress`."),
    ] = None,
    after: Annotated[
        str | SkipJsonSchema[None],
        Query(description="The `last_id` of the page before.", pattern="^resp_[0-9a-f]{48}$"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JSONResponse:
    """Return your responses in short, the newest first; a response made or ended just now may follow late."""
    return JSONResponse(api.browse()(owner, status=status, after=after, limit=limit))


@router.post("/responses/cancel_all", operation_id="cancelAllResponses",
             responses=FAILURES | returns("CancelledAll"))  # fmt: skip
def cancel_all(owner: Owner) -> JSONResponse:
    """End all your responses that run, up to 50 at a time: call again for as long as `has_more`."""
    return JSONResponse(api.cancel_all()(owner))
