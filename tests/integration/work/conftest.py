"""A worker over the real stores and queues, on moto, in this process; one lock makes moto atomic."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient
from moto.dynamodb.responses import DynamoHandler

from tests.integration.work.shop import Shop
from tests.support import aws


@pytest.fixture(scope="package")
def moto() -> Iterator[None]:
    """Start moto once. Its DynamoDB is not atomic under threads: requests are served one at a time."""
    lock, call = threading.RLock(), DynamoHandler.call_action

    def one_at_a_time(self: Any) -> Any:
        with lock:
            return call(self)

    with pytest.MonkeyPatch.context() as patch, aws.moto_aws():
        patch.setattr(DynamoHandler, "call_action", one_at_a_time)
        aws.new_bucket()
        yield


@pytest.fixture
def shop(moto: None) -> Iterator[Shop]:  # noqa: ARG001  # moto first
    """Return an empty shop, and see that no thread of it is left."""
    before = set(threading.enumerate())
    yield Shop()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


@pytest.fixture
def calls(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the AWS calls from here on; connections and keys are warm."""
    shop.ask("warm")
    made: list[str] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # the one door of every call

    def counted(self: Any, name: str, arguments: Any) -> Any:
        made.append(name)
        return call(self, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    return made
