"""About the service itself: whether it is up, and its OpenAPI document."""

from functools import cache

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from meanwhile.domain.request import Json

router = APIRouter()


@router.get("/healthz", include_in_schema=False)
async def healthz() -> JSONResponse:
    """Say that the process answers; asks nobody else, so it says nothing about AWS."""
    return JSONResponse({"status": "ok"})


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """Return the OpenAPI document."""
    return JSONResponse(_document(request.app))


@cache
def _document(app: FastAPI) -> Json:
    # Built when somebody asks: its models would double the time a cold start takes to import.
    from meanwhile.web.openapi import document

    return document(app)
