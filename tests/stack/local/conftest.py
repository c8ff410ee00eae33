"""One small stack for all tests that do not need one of their own."""

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.client import LocalStack

APP = Path(__file__).parent / "app"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share the stack in one xdist worker, so that it is started once."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("the small stack"))


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """Run the app of this folder, its schedules hurried."""
    with LocalStack(template=APP / "template.yaml", schedule_seconds=0.5) as running:
        yield running


@pytest.fixture
def http(stack: LocalStack) -> Iterator[httpx.Client]:
    """Call the gateway."""
    with httpx.Client(base_url=stack.url, timeout=15) as client:
        yield client


class Latch:
    """Keeps handlers that `hold` at its port where they are, until it is opened."""

    def __init__(self) -> None:
        """Listen; each connection is a handler that waits for its end."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(15)
        self._held: list[socket.socket] = []

    @property
    def port(self) -> int:
        """Where to hold."""
        return int(self._listening.getsockname()[1])

    def reached(self) -> None:
        """Wait until one more handler is held."""
        self._held.append(self._listening.accept()[0])

    def open(self) -> None:
        """Let all of them go on."""
        for each in (self._listening, *self._held):
            each.close()


@pytest.fixture
def latch() -> Iterator[Latch]:
    """Hold handlers for as long as the test needs them held."""
    latch = Latch()
    yield latch
    latch.open()


@pytest.fixture(scope="session")
def dynamodb(stack: LocalStack) -> Iterator[Any]:
    """Speak to the stack's DynamoDB."""
    client = stack.boto("dynamodb")
    yield client
    client.close()


@pytest.fixture(scope="session")
def sqs(stack: LocalStack) -> Iterator[Any]:
    """Speak to the stack's SQS."""
    client = stack.boto("sqs")
    yield client
    client.close()


@pytest.fixture
def send(stack: LocalStack, sqs: Any) -> Callable[..., str]:
    """Send the worker a message that says what to do; the answer is the id it will note."""

    def send(**message: Any) -> str:
        name = str(uuid.uuid4())
        body = json.dumps({"id": name, **message})
        sqs.send_message(QueueUrl=stack.physical_id("Work"), MessageBody=body)
        return name

    return send


@pytest.fixture
def noted(stack: LocalStack, dynamodb: Any) -> Callable[[str], list[dict[str, Any]]]:
    """Look what was noted under an id, oldest first."""
    table = stack.physical_id("Notes")

    def noted(name: str) -> list[dict[str, Any]]:
        found = dynamodb.query(
            TableName=table, KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": name}}
        )
        return [{key: next(iter(value.values())) for key, value in item.items()} for item in found["Items"]]

    return noted
