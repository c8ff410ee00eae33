"""Calls that schemathesis makes up from the OpenAPI document: right ones, and wrong ones of every kind.

A few of each operation with the other tests; `make fuzz` runs the same with a profile of thousands.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from meanwhile import wiring
from meanwhile.web.app import app
from meanwhile.web.openapi import document
from tests.integration.web.world import World
from tests.support.vocabulary import vocabularies

ASKED = {"model": "simulator", "input": "Hello", "background": True}
TALK = {
    "items": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}],
    "metadata": {"a": "b"},
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document(app))
READ: list[Any] = [each.ok() for each in SCHEMA.get_all_operations()]  # type: ignore[union-attr]  # an error raises
OPERATIONS = {each.definition.raw["operationId"]: each for each in READ}
"""By id: whatever the document has, so that a new operation is called the day it appears."""

MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of the app, which waits for no answer."""
    world.set(wait_limit_seconds=0.01)
    monkeypatch.setattr(wiring, "vocabularies", vocabularies)
    with asgi.get_client(app) as client:  # type: ignore[arg-type]  # an ASGI app, whatever its types say
        client.headers["authorization"] = "Bearer sk-local"
        yield client


def calls() -> int:
    """Return how many calls are made of each operation."""
    return max(20, settings().max_examples // 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_call_is_answered_as_documented(name: str, client: Any) -> None:
    """No 5xx, no status, header, content type or body that the document does not have."""
    ids = [client.post("/responses", json=ASKED).json()["id"] for _ in range(2)]
    client.post(f"/responses/{ids[0]}/cancel")
    talk = client.post("/conversations", json=TALK).json()["id"]
    items = [each["id"] for each in client.get(f"/conversations/{talk}/items").json()["data"]]
    cases = st.one_of(*(OPERATIONS[name].as_strategy(generation_mode=mode) for mode in MODES))

    @settings(
        max_examples=calls(),
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=cases,
        response_id=st.sampled_from([*ids, None]),
        item_id=st.sampled_from([*items, None]),
        model=st.booleans(),
    )
    def call(case: Any, response_id: str | None, item_id: str | None, model: bool) -> None:  # noqa: FBT001  # drawn
        known = {"response_id": response_id, "item_id": item_id, "conversation_id": response_id and talk}
        named = {name: known[name] for name in case.path_parameters or {} if known.get(name)}
        if named:
            case.path_parameters.update(named)
        if model and isinstance(case.body, dict) and "model" in case.body:
            case.body["model"] = "simulator"  # else hardly any body would get past its first parameter
        case.headers = {**(case.headers or {}), "authorization": "Bearer sk-local"}
        response = case.call(base_url="http://test", session=client)
        case.validate_response(response, checks=CHECKS)

    call()


def test_the_checks_find_what_is_not_as_documented() -> None:
    """Else all of the above would prove nothing."""
    case = OPERATIONS["listModels"].Case()
    request = httpx.Request("GET", "http://test/models")
    headers = {"content-type": "application/json", "x-request-id": "req_1"}
    good: dict[str, Any] = {"object": "list", "data": []}

    def check(status: int, body: Any) -> None:
        answer = httpx.Response(status, json=body, headers=headers, request=request)
        answer.elapsed = timedelta()
        case.validate_response(answer, checks=CHECKS)

    check(200, good)
    for status, body in ((200, good | {"data": None}), (200, good | {"more": 1}), (500, good), (418, good)):
        with pytest.raises(FailureGroup):
            check(status, body)
