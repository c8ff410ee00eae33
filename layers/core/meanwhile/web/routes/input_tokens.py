"""What a request would cost to read, counted before it is sent."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from meanwhile import api, wiring
from meanwhile.operations.accepting.count_input import CountInput
from meanwhile.web.auth import Owner
from meanwhile.web.body import read_body
from meanwhile.web.create import to_counted
from meanwhile.web.documents import FAILURES, returns, takes

router = APIRouter(tags=["Responses"])


@router.post("/responses/input_tokens", operation_id="countInputTokens",
             openapi_extra=takes("CountInputTokens"),
             responses=FAILURES | returns("InputTokens"))  # fmt: skip
async def count(request: Request, owner: Owner) -> JSONResponse:
    """Count the tokens that a model would read: an estimate, for the exact number is the provider's."""
    counted = await run_in_threadpool(_counted, owner, await read_body(request))
    return JSONResponse({"object": "response.input_tokens", "input_tokens": counted})


def _counted(owner: str, raw: bytes) -> int:
    asked = to_counted(raw, wiring.catalogue())
    count_input = CountInput(
        resolve=api.conversing().resolve,
        context=wiring.context(),
        expand=wiring.expand(),
        count=wiring.measure().count,
    )
    return count_input(owner, asked)
