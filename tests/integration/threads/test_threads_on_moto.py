"""Threads over DynamoDB and S3 as moto has them, beside the twin: the same answers to every call."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import settings

from meanwhile.storage.keyring import Keyring
from meanwhile.storage.stores import Stores, Threads
from tests.support import aws
from tests.support.accidents import Accidents
from tests.support.key_machine import KeyMachine
from tests.support.thread_twin import twin_threads
from tests.support.twin import twin_stores

pytestmark = pytest.mark.exhaustive


@pytest.fixture(autouse=True, scope="module")
def moto() -> Iterator[None]:
    with aws.moto_aws():
        aws.new_bucket()
        yield


class OnMoto(KeyMachine):
    """Every call goes to moto and to the twin, and both must answer alike."""

    def stores(self) -> Stores:
        return twin_stores()

    def threads(self) -> Threads:
        real = aws.threads_on(aws.new_threads_table(), inline_bytes=300, keyring=keyring())
        return Accidents().over_threads(real, twin_threads())


@cache
def keyring() -> Keyring:
    """One for all lives: owners keep their keys."""
    return aws.new_keyring()


OnMoto.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=20,
    derandomize=True,
)
TestThreadsOnMoto = OnMoto.TestCase
