"""What API Gateway itself answers: gateway responses, as the template words them.

Types, statuses and messages from "Gateway response types for API Gateway".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.headers import Headers
from infra.local.proxy import Request, extended_id
from infra.local.routes import Api

_VARIABLE = re.compile(r"\$context\.([A-Za-z.]+)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason why the gateway answers itself."""

    kind: str
    status: int
    message: str


NO_ROUTE = Refusal("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token")
TOO_LARGE = Refusal("REQUEST_TOO_LARGE", 413, "Request Too Long")
THROTTLED = Refusal("THROTTLED", 429, "Too Many Requests")
FAILED = Refusal("DEFAULT_5XX", 502, "Internal server error")
TIMED_OUT = Refusal("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")


def refused(refusal: Refusal, request: Request, api: Api, resource: str = "") -> tuple[int, Headers, bytes]:
    """Return status, headers and body of a gateway response."""
    default = "DEFAULT_4XX" if refusal.status < 500 else "DEFAULT_5XX"
    given: Mapping[str, Any] = (
        api.gateway_responses.get(refusal.kind) or api.gateway_responses.get(default) or {}
    )
    context = {
        "error.message": refusal.message,
        "error.messageString": json.dumps(refusal.message),
        "error.responseType": refusal.kind,
        "requestId": request.id,
        "extendedRequestId": extended_id(request.id),
        "path": f"/{api.stage}{request.path}",
        "httpMethod": request.method,
        "resourcePath": resource,
        "stage": api.stage,
        "apiId": api.api_id,
        "identity.sourceIp": request.client,
    }
    templates = given.get("responseTemplates") or {
        "application/json": '{"message":$context.error.messageString}'
    }
    kind, template = next(iter(templates.items()))
    body = _VARIABLE.sub(lambda variable: context.get(variable[1].rstrip("."), ""), str(template))
    headers = [
        ("content-type", str(kind)),
        ("x-amzn-errortype", f"{refusal.kind.title().replace('_', '')}Exception"),
    ]
    headers += [
        (name.removeprefix("gatewayresponse.header.").lower(), _mapped(str(value), context, request))
        for name, value in (given.get("responseParameters") or {}).items()
        if name.startswith("gatewayresponse.header.")
    ]
    return int(given.get("statusCode") or refusal.status), headers, body.encode()


def _mapped(value: str, context: Mapping[str, str], request: Request) -> str:
    """Return a header's value: a 'literal', something of the context, or one of the request's headers."""
    if value.startswith("'"):
        return value.strip("'")
    if value.startswith("method.request.header."):
        return dict(request.headers).get(value.removeprefix("method.request.header.").lower(), "")
    return context.get(value.removeprefix("context."), "")
