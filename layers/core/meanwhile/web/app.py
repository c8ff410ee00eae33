"""The app: the same behind Mangum in `api`, and under uvicorn in `stream` and on one machine."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from meanwhile import observability
from meanwhile.web.envelope import Envelope
from meanwhile.web.errors import HANDLERS
from meanwhile.web.routes import (
    about,
    all_responses,
    compact,
    conversation_items,
    conversations,
    input_tokens,
    models,
    responses,
)


def create_app() -> FastAPI:
    """Return the app. It reads no setting before the first request."""
    observability.log_as_json()
    made = FastAPI(
        title="Meanwhile",
        version="0.1.0",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Envelope)],
        exception_handlers=HANDLERS,
    )
    for routes in (
        all_responses,
        compact,
        responses,
        input_tokens,
        conversations,
        conversation_items,
        models,
        about,
    ):
        made.include_router(routes.router)
    return made


app = create_app()
