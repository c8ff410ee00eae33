"""The real app over the real stores, on moto, in this process."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.client import BaseClient

from meanwhile import wiring
from tests.integration.web.world import World, client_of, forget_wiring, sdk_of
from tests.support import aws
from tests.support.vocabulary import vocabularies

_LONG = {"key_cache_seconds": 3600, "sealing_key_cache_seconds": 3600}
"""So that no key runs out between the start of a test and the calls it counts."""


@pytest.fixture(scope="package")
def table() -> Iterator[dict[str, Any]]:
    """Start moto and make the connections once: that takes longer than all the tests of a file."""
    with aws.moto_aws():
        name = aws.new_table()
        sqs = boto3.client("sqs", region_name=aws.REGION)
        work, solo = (sqs.create_queue(QueueName=f"{each}-{name}")["QueueUrl"] for each in ("work", "solo"))
        forget_wiring(lasting=True)
        yield {
            "responses_table": name,
            **aws.new_keys(),
            "api_keys_table": aws.new_api_keys_table(),
            "threads_table": aws.new_threads_table(),
            "bucket": aws.new_bucket(),
            "work_queue_url": work,
            "solo_queue_url": solo,
        }
        forget_wiring(lasting=True)


@pytest.fixture(scope="package")
def dynamodb(table: dict[str, Any]) -> Any:  # noqa: ARG001  # moto first
    """Return a client that looks behind the app's back."""
    return boto3.client("dynamodb", region_name=aws.REGION)


@pytest.fixture
def world(table: dict[str, Any], dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return an empty table, with settings under which nothing waits long."""
    made = World(monkeypatch, table["responses_table"], table["threads_table"], dynamodb)
    made.set(
        **table, **_LONG, local_api_keys=True, poll_seconds=0.005, keep_alive_seconds=5, wait_limit_seconds=5
    )
    wiring.keyring().first("local")  # as in a process that has served this owner before
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # the one door of every call

    def counted(self: Any, name: str, arguments: Any) -> Any:
        if self is not dynamodb:
            made.called(name)
        return call(self, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    monkeypatch.setattr(wiring, "vocabularies", vocabularies)
    yield made
    made.clear()
    forget_wiring()


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as uvicorn and Mangum do."""
    return "asyncio"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ARG001  # the app needs it
    """Return a plain HTTP client of the owner `local`."""
    async with client_of() as client:
        yield client


@pytest.fixture
async def sdk(world: World) -> AsyncIterator[Any]:  # noqa: ARG001  # the app needs it
    """Return the unmodified SDK."""
    async with sdk_of("sk-local") as client:
        yield client
