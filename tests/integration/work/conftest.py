"""A worker over the real stores and queues, on moto, in this process."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.integration.work.shop import Shop
from tests.support import aws


@pytest.fixture(scope="package")
def moto() -> Iterator[None]:
    """Start moto once."""
    with aws.moto_aws():
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
