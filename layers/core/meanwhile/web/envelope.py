"""What every answer has, whatever became of the request: an id, CORS headers, a body in the API's shape."""

import json
import re
from collections.abc import MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meanwhile import wiring
from meanwhile.domain.errors import ServiceError
from meanwhile.web import errors
from meanwhile.web.unexpected import Stopped

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_EXPOSED = "x-request-id, openai-poll-after-ms, retry-after, x-should-retry, idempotent-replayed, etag"
_PREFLIGHT_SECONDS = "7200"


class Envelope:
    """Wraps the app; the last one to answer, so that nothing is ever raised into the server's own log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        common = {"x-request-id": request_id, "access-control-expose-headers": _EXPOSED}
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(common)
            await send(message)

        with Stopped(request_id=request_id) as stopped:
            common["access-control-allow-origin"] = wiring.settings().cors_allow_origin
            if scope["method"] == "OPTIONS":
                await _preflight(Headers(scope=scope))(scope, receive, send_with_headers)
            else:
                with suppress(ClientDisconnect):  # who left is no error of ours
                    await self._app(scope, receive, send_with_headers)
        if stopped.by is not None and not started:
            await errors.answer(ServiceError(), scope)(scope, receive, send_with_headers)


def _preflight(asked: Headers) -> Response:
    """Answer what the gateway answers itself in AWS. Keys come in a header, never as a cookie."""
    return Response(
        status_code=HTTPStatus.NO_CONTENT,
        headers={
            "access-control-allow-methods": "GET,POST,PATCH,DELETE,OPTIONS",
            "access-control-allow-headers": asked.get("access-control-request-headers", "*"),
            "access-control-max-age": _PREFLIGHT_SECONDS,
        },
    )


def _request_id(scope: MutableMapping[str, Any]) -> str:
    """Return the gateway's id of this request, as Mangum or the Web Adapter hands it on, or a new one."""
    context = scope.get("aws.event", {}).get("requestContext") or _adapters_context(Headers(scope=scope))
    given = context.get("requestId") if isinstance(context, dict) else None
    if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
        return given
    return f"req_{uuid4().hex}"


def _adapters_context(headers: Headers) -> Any:
    try:
        return json.loads(headers.get("x-amzn-request-context", "null"))
    except (ValueError, RecursionError):
        return None
