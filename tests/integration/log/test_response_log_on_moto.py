"""The log's rules over DynamoDB as moto has it, beside the twin: the same answers to every call."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import settings

from meanwhile.storage.keyring import Keyring
from meanwhile.storage.stores import Stores
from tests.support import aws
from tests.support.faults import Faults
from tests.support.log_machine import LogMachine
from tests.support.twin import twin_stores

pytestmark = pytest.mark.exhaustive


@pytest.fixture(autouse=True, scope="module")
def moto() -> Iterator[None]:
    with aws.moto_aws():
        aws.new_bucket()
        yield


class OnMoto(LogMachine):
    """Every call goes to moto and to the twin, and both must answer alike."""

    def stores(self) -> Stores:
        return Faults().over(aws.stores_on(aws.new_table(), keyring=keyring()), twin_stores())


@cache
def keyring() -> Keyring:
    """One for all lives: owners keep their keys."""
    return aws.new_keyring()


OnMoto.TestCase.settings = settings(max_examples=12, stateful_step_count=30)
TestResponseLogOnMoto = OnMoto.TestCase
