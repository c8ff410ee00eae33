"""REST proxy events: a request as a function gets it, and a function's answer as a client gets it.

Shapes from "Input format of a Lambda function for proxy integration" (API Gateway, payload version 1.0).
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from infra.local.clock import now, now_ms
from infra.local.headers import Headers
from infra.local.options import ACCOUNT, REGION
from infra.local.routes import Api, Match


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the gateway has read to its end."""

    id: str
    method: str
    path: str
    """Percent-encoded, without the stage."""
    query: str
    headers: Headers
    body: bytes
    client: str


class MalformedAnswer(Exception):
    """A function returned something that is no proxy response."""


def event_of(request: Request, api: Api, match: Match) -> dict[str, Any]:
    """Return the event for a function."""
    headers = _grouped(request.headers)
    query = _grouped(parse_qsl(request.query, keep_blank_values=True))
    is_binary = _is_binary(_last(headers, "content-type"), api.binary_types)
    body = base64.b64encode(request.body).decode() if is_binary else request.body.decode(errors="replace")
    return {
        "resource": match.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": dict(api.stage_variables) or None,
        "requestContext": context_of(request, api, match.resource),
        "body": body if request.body else None,
        "isBase64Encoded": is_binary and bool(request.body),
    }


def context_of(request: Request, api: Api, resource: str) -> dict[str, Any]:
    """Return the event's `requestContext`."""
    headers = dict(request.headers)
    host = headers.get("host", "")
    return {
        "accountId": ACCOUNT,
        "apiId": api.api_id,
        "deploymentId": "local",
        "domainName": host,
        "domainPrefix": host.split(".", 1)[0],
        "extendedRequestId": extended_id(request.id),
        "httpMethod": request.method,
        "identity": {
            **dict.fromkeys(_UNKNOWN_IDENTITY),
            "sourceIp": request.client,
            "userAgent": headers.get("user-agent"),
        },
        "path": f"/{api.stage}{request.path}",
        "protocol": "HTTP/1.1",
        "requestId": request.id,
        "requestTime": now().strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": now_ms(),
        "resourceId": "local",
        "resourcePath": resource,
        "stage": api.stage,
        "region": REGION,
    }


def extended_id(request_id: str) -> str:
    """Return an id as the header `x-amz-apigw-id` carries it."""
    return base64.b64encode(bytes.fromhex(request_id.replace("-", ""))[:11]).decode()


def answer_of(payload: bytes, request: Request, api: Api) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of a function's proxy response.

    Raises:
        MalformedAnswer: It is none.
    """
    try:
        given = json.loads(payload)
    except ValueError as error:
        raise MalformedAnswer from error
    if not isinstance(given, dict) or set(given) - _ANSWER_FIELDS:
        raise MalformedAnswer
    body = given.get("body") or ""
    status = given.get("statusCode")
    if not isinstance(body, str) or isinstance(status, bool) or not re.fullmatch(r"\d{3}", str(status)):
        raise MalformedAnswer
    headers = _merged(given.get("headers") or {}, given.get("multiValueHeaders") or {})
    if given.get("isBase64Encoded") and _is_binary(
        dict(request.headers).get("accept", "*/*"), api.binary_types
    ):
        return int(str(status)), headers, base64.b64decode(body)
    return int(str(status)), headers, body.encode()


def _merged(single: Mapping[str, Any], several: Mapping[str, Sequence[Any]]) -> Headers:
    """Join both; a name in both counts only with its several values."""
    repeated = {name.lower() for name in several}
    pairs = [(name.lower(), _text(value)) for name, value in single.items() if name.lower() not in repeated]
    pairs += [(name.lower(), _text(value)) for name, values in several.items() for value in values]
    if not any(name == "content-type" for name, _ in pairs):
        pairs.append(("content-type", "application/json"))
    return pairs


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _last(grouped: Mapping[str, list[str]], name: str) -> str:
    return grouped.get(name, [""])[-1]


def _is_binary(media_types: str, binary: Sequence[str]) -> bool:
    """Tell whether the first media type is binary; API Gateway looks at no other."""
    kind = media_types.split(",", 1)[0].split(";", 1)[0].strip().lower()
    return "*/*" in binary or (bool(kind) and kind in binary)


_ANSWER_FIELDS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
_UNKNOWN_IDENTITY = (
    "accessKey",
    "accountId",
    "apiKey",
    "apiKeyId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)
