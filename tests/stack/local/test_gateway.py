"""Routes, events, answers and limits are API Gateway's."""

import base64

import httpx
import pytest

from infra.local.client import LocalStack
from tests.stack.local.conftest import Latch


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/items/known", "/items/known", None),
        ("/items/a%20b", "/items/{id}", {"id": "a b"}),
        ("/items/known/more", "/{proxy+}", {"proxy": "items/known/more"}),
        ("/else", "/{proxy+}", {"proxy": "else"}),
    ],
)
def test_the_most_specific_path_answers(
    http: httpx.Client, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    """A literal beats {name}, which beats {name+}, segment by segment."""
    event = http.get(path).json()["event"]

    assert (event["resource"], event["pathParameters"]) == (resource, parameters)


def test_a_path_without_the_method_is_no_route(http: httpx.Client) -> None:
    """The path decides before the method, so a catch-all does not help: on AWS it would not either."""
    answer = http.delete("/items/known")

    assert answer.status_code == 404
    assert answer.json() == {"error": {"message": "no such route: DELETE /v1/items/known"}}


def test_an_unknown_stage_is_forbidden(http: httpx.Client) -> None:
    """Outside the stage there is no API."""
    answer = http.get(str(http.base_url.copy_with(path="/v2/items/1")))

    assert answer.status_code == 403


def test_a_request_becomes_a_rest_proxy_event(http: httpx.Client) -> None:
    """Payload version 1.0: what Mangum and Powertools read."""
    answer = http.put("/items/7?a=1&a=2&b%5B%5D=%C3%A9&c=", content="grüße", headers={"X-Mine": "m"})

    event = answer.json()["event"]
    assert event["httpMethod"] == "PUT"
    assert event["path"] == "/items/7"
    assert event["queryStringParameters"] == {"a": "2", "b[]": "é", "c": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b[]": ["é"], "c": [""]}
    assert event["headers"]["x-mine"] == "m"
    assert event["multiValueHeaders"]["x-mine"] == ["m"]
    assert (event["body"], event["isBase64Encoded"]) == ("grüße", False)
    assert event["requestContext"]["stage"] == "v1"
    assert event["requestContext"]["path"] == "/v1/items/7"
    assert event["requestContext"]["resourcePath"] == "/items/{id}"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert event["requestContext"]["requestId"] == answer.headers["x-amzn-requestid"]


def test_a_binary_type_travels_as_base64_both_ways(http: httpx.Client) -> None:
    """BinaryMediaTypes decides, by content type on the way in and by Accept on the way out."""
    event = http.put("/items/7", content=b"\x89PNG", headers={"content-type": "image/png"}).json()["event"]
    answer = http.post("/do", json={"do": "binary"}, headers={"accept": "image/png"})

    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\x89PNG").decode(), True)
    assert answer.content == b"\x89PNG"


@pytest.mark.parametrize(
    ("size", "codings", "coding"),
    [(1024, "gzip, deflate", "gzip"), (1024, "br;q=1.0, gzip;q=0.8", "gzip"), (1023, "gzip", None),
     (1024, "identity", None), (1024, "gzip;q=0", None), (1024, "*", None)],
)  # fmt: skip
def test_a_large_answer_is_compressed_for_who_takes_that(
    http: httpx.Client, size: int, codings: str, coding: str | None
) -> None:
    """MinimumCompressionSize: the gateway's work, so functions answer in plain text."""
    answer = http.post("/do", json={"do": "big", "bytes": size}, headers={"accept-encoding": codings})

    assert answer.headers.get("content-encoding") == coding
    assert answer.text == "x" * size
    assert (int(answer.headers["content-length"]) < size) is (coding is not None)


def test_a_header_may_have_several_values(http: httpx.Client) -> None:
    """Two cookies in one answer."""
    answer = http.post("/do", json={"do": "cookies"})

    assert answer.status_code == 201
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "body", [{"do": "malformed"}, {"do": "raise"}, {"do": "big", "bytes": 7 * 1024 * 1024}]
)
def test_what_is_no_proxy_response_is_a_bad_gateway(http: httpx.Client, body: dict[str, object]) -> None:
    """An unknown field, an exception, more than 6 MB: the client learns nothing but 502."""
    answer = http.post("/do", json=body)

    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})


@pytest.mark.parametrize(
    "size", [6 * 1024 * 1024, 11 * 1024 * 1024], ids=["Lambda's 6 MB", "API Gateway's 10 MB"]
)
def test_too_large_a_request_is_refused(http: httpx.Client, size: int) -> None:
    """413 as the template words it, with the headers that a browser needs to read it."""
    answer = http.post("/do", content=b"x" * size)

    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "REQUEST_TOO_LARGE"
    assert answer.headers["x-request-id"] == answer.headers["x-amzn-requestid"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_gateway_stops_waiting(http: httpx.Client, stack: LocalStack, latch: Latch) -> None:
    """29 s, or what the route says (here 300 ms); the function goes on."""
    answer = http.post("/quick", json={"do": "hold", "latch": latch.port})

    assert answer.status_code == 504
    latch.reached()
    assert stack.invocations()["EchoFunction"]["running"] == 1


def test_a_preflight_is_answered_by_the_gateway(http: httpx.Client) -> None:
    """CORS in the template needs no function."""
    answer = http.options(
        "/do", headers={"origin": "https://example.com", "access-control-request-method": "POST"}
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-methods"] == "GET,POST"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-max-age"] == "600"
