"""Which function answers which path: the RestApi's OpenAPI paths, matched as API Gateway matches them.

The path decides first, the most specific one: segment by segment a literal beats `{name}` beats `{name+}`.
Then the method on that path, where a named method beats ANY. A path without the method is no route at all,
even when `{proxy+}` has it (API Gateway answers "Missing Authentication Token").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from infra.local.errors import NotSupported
from infra.local.resources import Resources, function_named_by

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
_ANY = "x-amazon-apigateway-any-method"
_BUFFERED_SECONDS = 29.0
_STREAMED = "/response-streaming-invocations"


@dataclass(frozen=True, slots=True)
class Integration:
    """What answers a method of a path."""

    function: str | None
    """Logical id; None for a mock (which is what CORS preflights are)."""
    timeout: float = _BUFFERED_SECONDS
    is_streamed: bool = False
    mock_status: int = 200
    mock_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A route that was found."""

    resource: str
    parameters: Mapping[str, str]
    integration: Integration | None
    """None when the path is known, but not with this method."""


@dataclass(frozen=True, slots=True)
class Api:
    """One stage of one RestApi."""

    api_id: str
    stage: str
    stage_variables: Mapping[str, str]
    paths: Mapping[str, Mapping[str, Integration]]
    """By path, then by method in capitals or ANY."""
    gateway_responses: Mapping[str, Mapping[str, Any]]
    binary_types: tuple[str, ...]
    minimum_compression_size: int | None = None
    """Bytes from which buffered answers are compressed for clients that take that; None, never."""

    def match(self, method: str, path: str) -> Match | None:
        """Return the route of a request, or None. The path is percent-encoded and without the stage."""
        given = _segments(path)
        fitting = [
            (_specificity(template), template, found)
            for template in self.paths
            if (found := _fits(_segments(template), given)) is not None
        ]
        if not fitting:
            return None
        _, template, parameters = max(fitting, key=lambda candidate: candidate[0])
        methods = self.paths[template]
        return Match(template, parameters, methods.get(method) or methods.get("ANY"))


def apis_of(resources: Resources) -> dict[str, Api]:
    """Return every stage of the template by its name.

    Raises:
        NotSupported: A method wants an authorizer, or an integration other than a function or a mock.
    """
    apis = {}
    for stage_name in resources.present("AWS::ApiGateway::Stage"):
        stage = resources.properties(stage_name, "StageName", "RestApiId", "Variables")
        for name in resources.present("AWS::ApiGateway::RestApi"):
            if resources.ref(name) == stage["RestApiId"]:
                api = _api(resources, name, stage["StageName"], stage.get("Variables", {}))
                apis[api.stage] = api
    return apis


def _api(resources: Resources, name: str, stage: str, variables: Mapping[str, str]) -> Api:
    given = resources.properties(name, "Body", "BinaryMediaTypes", "MinimumCompressionSize")
    body = given.get("Body") or {}
    paths = {
        path: {
            "ANY" if method == _ANY else method.upper(): _integration(f"{name} {method} {path}", operation)
            for method, operation in methods.items()
            if method in _METHODS or method == _ANY
        }
        for path, methods in body.get("paths", {}).items()
    }
    responses = dict(body.get("x-amazon-apigateway-gateway-responses", {}))
    for response in resources.present("AWS::ApiGateway::GatewayResponse"):
        own = resources.properties(response)
        if own["RestApiId"] == resources.ref(name):
            responses[own["ResponseType"]] = {
                "statusCode": own.get("StatusCode"),
                "responseParameters": own.get("ResponseParameters", {}),
                "responseTemplates": own.get("ResponseTemplates", {}),
            }
    binary = [*given.get("BinaryMediaTypes", []), *body.get("x-amazon-apigateway-binary-media-types", [])]
    return Api(
        resources.ref(name),
        stage,
        variables,
        paths,
        responses,
        tuple(kind.replace("~1", "/") for kind in binary),
        int(given["MinimumCompressionSize"]) if "MinimumCompressionSize" in given else None,
    )


def _integration(where: str, operation: Mapping[str, Any]) -> Integration:
    if operation.get("security"):
        raise NotSupported(f"{where}: authorizers do not exist on this machine")
    given = operation.get("x-amazon-apigateway-integration", {})
    kind = str(given.get("type", "")).lower()
    if kind == "mock":
        return _mock(given)
    uri = str(given.get("uri", ""))
    if kind != "aws_proxy" or ":function:" not in uri:
        raise NotSupported(f"{where}: only functions (aws_proxy) and mocks are integrated on this machine")
    function = function_named_by(uri.rpartition("/functions/")[2].partition("/")[0])
    timeout = given.get("timeoutInMillis")
    return Integration(
        function,
        timeout=_BUFFERED_SECONDS if timeout is None else float(timeout) / 1000,
        is_streamed=uri.endswith(_STREAMED) or given.get("responseTransferMode") == "STREAM",
    )


def _mock(given: Mapping[str, Any]) -> Integration:
    answer = next(iter(given.get("responses", {"default": {}}).values()))
    headers = {
        name.removeprefix("method.response.header."): str(value).strip("'")
        for name, value in answer.get("responseParameters", {}).items()
    }
    return Integration(None, mock_status=int(answer.get("statusCode", 200)), mock_headers=headers)


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _specificity(template: str) -> list[int]:
    return [0 if part.endswith("+}") else 1 if part.startswith("{") else 2 for part in _segments(template)]


def _fits(template: list[str], given: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for position, part in enumerate(template):
        rest = given[position:]
        if part.endswith("+}"):
            found[part[1:-2]] = unquote("/".join(rest))
            return found if rest and rest != [""] else None
        if not rest or (part.startswith("{") and not rest[0]):
            return None
        if part.startswith("{"):
            found[part[1:-1]] = unquote(rest[0])
        elif part != rest[0]:
            return None
    return found if len(template) == len(given) else None
