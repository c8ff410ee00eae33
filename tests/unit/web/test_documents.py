"""The OpenAPI document says what is true."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from meanwhile.domain.answer import Answer
from meanwhile.domain.facts import Started
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.transcript import Transcript
from meanwhile.domain.wire import of_answer
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.app import create_app
from meanwhile.web.create import to_request
from meanwhile.web.openapi import document
from meanwhile.web.pages import page
from meanwhile.web.schemas.answers import ItemList, Response
from tests.unit.web.test_any_body import WHOLE

DOCUMENT = document(create_app())

END = Finished(FinishReason.STOP, Usage(input_tokens=1, output_tokens=2))
SAID: list[list[ModelEvent]] = [
    [],
    [TextDelta("Hel")],
    [ReasoningDelta("Hm."), TextDelta("Hello"), END],
    [TextDelta("I"), RefusalDelta("won't"), END],
    [ToolCallStarted(0, "call_1", "look"), ToolCallDelta(0, "{}"), END],
    [TextDelta("Hel"), Finished(FinishReason.LENGTH)],
]
ENDS = [
    Ended(status=Status.CANCELLED, at=5),
    Ended(status=Status.FAILED, at=5, code="provider_error", message="It broke."),
]


VERSIONED = {
    "getConversation": {"304"},
    "updateConversation": {"412"},
    "changeConversation": {"412"},
    "editConversationItem": {"412"},
}
"""By operation: the answers that only conditional calls get."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every operation."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    """Yield every `$ref` below."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_route_is_documented() -> None:
    """Those that are there, under names that generated clients use as method names."""
    found = {(method, path): operation["operationId"] for path, method, operation in operations()}

    assert found == {
        ("post", "/responses"): "createResponse",
        ("get", "/responses"): "listResponses",
        ("post", "/responses/cancel_all"): "cancelAllResponses",
        ("post", "/responses/compact"): "compactResponse",
        ("post", "/responses/input_tokens"): "countInputTokens",
        ("get", "/responses/{response_id}"): "getResponse",
        ("delete", "/responses/{response_id}"): "deleteResponse",
        ("post", "/responses/{response_id}/cancel"): "cancelResponse",
        ("get", "/responses/{response_id}/input_items"): "listInputItems",
        ("post", "/conversations"): "createConversation",
        ("get", "/conversations"): "listConversations",
        ("get", "/conversations/{conversation_id}"): "getConversation",
        ("post", "/conversations/{conversation_id}"): "updateConversation",
        ("patch", "/conversations/{conversation_id}"): "changeConversation",
        ("delete", "/conversations/{conversation_id}"): "deleteConversation",
        ("post", "/conversations/{conversation_id}/fork"): "forkConversation",
        ("post", "/conversations/{conversation_id}/items"): "createConversationItems",
        ("get", "/conversations/{conversation_id}/items"): "listConversationItems",
        ("get", "/conversations/{conversation_id}/items/{item_id}"): "getConversationItem",
        ("post", "/conversations/{conversation_id}/items/{item_id}"): "editConversationItem",
        ("delete", "/conversations/{conversation_id}/items/{item_id}"): "deleteConversationItem",
        ("get", "/models"): "listModels",
        ("get", "/models/{model}"): "getModel",
    }


def test_every_reference_leads_somewhere() -> None:
    """The schemas of bodies and answers are put beside what FastAPI makes."""
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}

    assert set(references(DOCUMENT)) <= known
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_every_operation_names_its_key_and_its_failures() -> None:
    """A bearer key, and the one error shape; FastAPI's own 422 never happens."""
    for path, method, operation in operations():
        assert operation["security"] == [{"HTTPBearer": []}], (method, path)
        every = {"200", "400", "401", "403", "404", "413", "500", "503"}
        assert set(operation["responses"]) == every | VERSIONED.get(operation["operationId"], set())
        for status, answer in operation["responses"].items():
            if status == "304":  # has no body
                continue
            (reference,) = references(answer["content"])
            assert reference.endswith("/Failure") is (status != "200")


def test_limits_are_in_the_document() -> None:
    """Generated clients and fuzzers read them there."""
    body = DOCUMENT["components"]["schemas"]["CreateResponse"]
    (tokens, _) = body["properties"]["max_output_tokens"]["anyOf"]
    (metadata, _) = body["properties"]["metadata"]["anyOf"]

    assert body["required"] == ["model"]
    assert body["additionalProperties"] is False
    assert tokens["minimum"] == 16
    assert metadata["maxProperties"] == 16
    assert body["properties"]["prompt"]["type"] == "null"


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("number", range(len(SAID) + len(ENDS)))
def test_every_response_is_as_documented(number: int, *, background: bool) -> None:
    """Every key, of the documented type, in every state a response can be in."""
    request = to_request(json.dumps(WHOLE).encode(), Catalogue.load(has_upstream=False))
    head = Head(
        id=f"resp_{'0' * 48}", owner="me", created_at=1, background=background, store=True, expires_at=9
    )
    answer = Answer(head.id, head.background)
    if background and number:
        answer.apply(Started())
    transcript = Transcript(answer)
    for event in SAID[number] if number < len(SAID) else SAID[1]:
        transcript.add(event, at=5)
    if number >= len(SAID):
        answer.apply(ENDS[number - len(SAID)])

    shown = of_answer(head, request, answer)

    assert Response.model_validate_json(json.dumps(shown), strict=True)


def test_every_item_is_as_documented() -> None:
    """The same for what was asked."""
    request = to_request(json.dumps(WHOLE).encode(), Catalogue.load(has_upstream=False))

    shown = page(request.input, after=None, limit=100, newest_first=False)

    assert len(shown["data"]) == len(WHOLE["input"])
    assert ItemList.model_validate_json(json.dumps(shown), strict=True)
