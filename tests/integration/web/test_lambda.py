"""The function `api`, with the event that API Gateway sends it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
pytestmark = pytest.mark.usefixtures("world")

REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def event(method: str, path: str, body: Any = None, **query: list[str]) -> dict[str, Any]:
    """Return an event of a REST API's proxy integration; its path has no stage."""
    headers = {"Authorization": "Bearer sk-local", "Content-Type": "application/json", "Host": "x.example"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/v1{path}",
            "protocol": "HTTP/1.1",
            "stage": "v1",
            "requestId": REQUEST_ID,
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


@pytest.fixture
def handler() -> Iterator[Handler]:
    """Return the handler, on an event loop of its own: Mangum makes one at import, and tests lose it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    from functions.api.handler import handler

    yield handler
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def context() -> SimpleNamespace:
    """Return what Lambda tells a function about its invocation."""
    return SimpleNamespace(
        function_name="api",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:api",
        aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
    )


def test_a_response_lives_its_life_through_the_function(context: SimpleNamespace, handler: Handler) -> None:
    """Mangum, the app and the stores together; the event loop outlives one invocation."""
    asked = {"model": "simulator", "input": "Hello", "background": True}

    made = handler(event("POST", "/responses", asked), context)
    response_id = json.loads(made["body"])["id"]
    listed = handler(event("GET", f"/responses/{response_id}/input_items", order=["asc"]), context)
    cancelled = handler(event("POST", f"/responses/{response_id}/cancel"), context)
    deleted = handler(event("DELETE", f"/responses/{response_id}"), context)

    assert made["statusCode"] == 200
    assert made["headers"]["x-request-id"] == REQUEST_ID
    assert made["headers"]["openai-poll-after-ms"]
    assert made["isBase64Encoded"] is False
    assert json.loads(listed["body"])["data"][0]["content"][0]["text"] == "Hello"
    assert json.loads(cancelled["body"])["status"] == "cancelled"
    assert json.loads(deleted["body"])["deleted"] is True


def test_an_unknown_path_is_answered_by_the_app(context: SimpleNamespace, handler: Handler) -> None:
    """The gateway sends everything here; its callers get the API's errors, not Lambda's."""
    got = handler(event("GET", "/v1/responses"), context)

    assert got["statusCode"] == 404
    assert json.loads(got["body"])["error"]["code"] == "unknown_url"
    assert got["headers"]["access-control-allow-origin"] == "*"
