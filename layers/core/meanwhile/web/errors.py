"""The one table from an error's class, or the nearest of its bases, to an HTTP answer."""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from meanwhile.domain.errors import (
    ConversationNotFound,
    InvalidRequest,
    ItemNotFound,
    NotAuthenticated,
    NotPermitted,
    OwnerDeleted,
    RequestError,
    ResponseNotFound,
    ServiceError,
    StreamEnded,
    TooLarge,
    Unavailable,
    VersionConflict,
)
from meanwhile.domain.request import Json
from meanwhile.web.unexpected import described
from meanwhile.web.validation import invalid

logger = logging.getLogger(__name__)

INVALID_REQUEST, SERVER_ERROR = "invalid_request_error", "server_error"


class ModelNotFound(RequestError):
    """Nobody here knows the model."""

    code = "model_not_found"


class UnknownUrl(RequestError):
    """There is no such route."""

    code = "unknown_url"


class WrongMethod(RequestError):
    """The route has other methods."""

    code = "method_not_allowed"


@dataclass(frozen=True, slots=True)
class _Row:
    status: HTTPStatus
    type: str = INVALID_REQUEST
    message: str | None = None
    """Said instead of the error's own, which is for us."""
    retry_after: int | None = None
    """Seconds; clients take up to 60."""


_ROWS: dict[type[ServiceError], _Row] = {
    RequestError: _Row(HTTPStatus.BAD_REQUEST),
    NotAuthenticated: _Row(HTTPStatus.UNAUTHORIZED),
    NotPermitted: _Row(HTTPStatus.FORBIDDEN),
    OwnerDeleted: _Row(HTTPStatus.FORBIDDEN),
    ResponseNotFound: _Row(HTTPStatus.NOT_FOUND),
    ConversationNotFound: _Row(HTTPStatus.NOT_FOUND),
    ItemNotFound: _Row(HTTPStatus.NOT_FOUND),
    VersionConflict: _Row(HTTPStatus.PRECONDITION_FAILED),
    ModelNotFound: _Row(HTTPStatus.NOT_FOUND),
    UnknownUrl: _Row(HTTPStatus.NOT_FOUND),
    WrongMethod: _Row(HTTPStatus.METHOD_NOT_ALLOWED),
    TooLarge: _Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    StreamEnded: _Row(HTTPStatus.SERVICE_UNAVAILABLE, SERVER_ERROR),  # only ever said inside a stream
    ServiceError: _Row(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        SERVER_ERROR,
        "The server had an error while processing the request.",
    ),
    Unavailable: _Row(
        HTTPStatus.SERVICE_UNAVAILABLE,
        SERVER_ERROR,
        "The service is not available for a moment; try again.",
        retry_after=1,
    ),
}


def row_of(error: type[ServiceError]) -> _Row:
    """Return the row of a class or of the nearest of its bases."""
    return next(_ROWS[kind] for kind in error.__mro__ if kind in _ROWS)


def must_not_repeat(request: Request) -> None:
    """Say that from here on the request may have had its effect: if it fails, a retry could have it twice."""
    request.state.may_have_happened = True


def error_object(error: ServiceError) -> Json:
    """Return what is said of an error, in the API's shape."""
    row = row_of(type(error))
    param = error.param if isinstance(error, RequestError) else None
    code = (error.narrow_code if isinstance(error, InvalidRequest) else None) or error.code
    return {"message": row.message or str(error), "type": row.type, "param": param, "code": code}


def answer(error: ServiceError, scope: Scope) -> JSONResponse:
    """Return the answer to an error, in the API's shape."""
    row = row_of(type(error))
    headers: dict[str, str] = {}
    if row.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if scope.get("state", {}).get("may_have_happened"):
            headers["x-should-retry"] = "false"
        elif row.retry_after is not None:
            headers["retry-after"] = str(row.retry_after)
    if row.status is HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": error_object(error)}, row.status, headers)


async def on_service_error(request: Request, error: ServiceError) -> JSONResponse:
    """Answer an error of the family."""
    answered = answer(error, request.scope)
    if answered.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        request_id = request.scope["state"].get("request_id", "")
        logger.error(
            "request failed", extra={"request_id": request_id} | described(error, error.__traceback__)
        )
    return answered


async def on_invalid_query(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer what FastAPI found wrong with the query or the path."""
    # A query has names and places in lists, nothing deeper: other steps are pydantic's, within a union.
    first = dict(error.errors()[0])
    where, name, *steps = first["loc"]
    first["loc"] = (where, name, *(step for step in steps if isinstance(step, int)))
    return answer(invalid([first], skip=1), request.scope)


async def on_no_route(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what the router did not find."""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        wrong: RequestError = WrongMethod("This URL does not take that method.")
    else:
        wrong = UnknownUrl("Unknown URL; check the method and the path.")
    answered = answer(wrong, request.scope)
    answered.headers.update(error.headers or {})
    return answered


HANDLERS: dict[Any, Any] = {
    ServiceError: on_service_error,
    RequestValidationError: on_invalid_query,
    HTTPException: on_no_route,
}
