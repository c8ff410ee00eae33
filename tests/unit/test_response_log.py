"""The log's rules, checked by Hypothesis over stores in memory: many long lives, quickly."""

import pytest
from hypothesis import settings

from meanwhile.storage.stores import Stores
from tests.support.log_machine import LogMachine
from tests.support.twin import twin_stores

pytestmark = pytest.mark.exhaustive


class InMemory(LogMachine):
    """Every operation over the twin alone."""

    def stores(self) -> Stores:
        return twin_stores()


InMemory.TestCase.settings = settings(max_examples=400, stateful_step_count=40)
TestResponseLog = InMemory.TestCase
