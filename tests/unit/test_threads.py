"""Threads under every accident, checked by Hypothesis over stores in memory: many long lives, quickly.

They are the same lives each time, so that one that fails was broken by a change. To try others, run with
`derandomize` off and `--hypothesis-seed`.
"""

import pytest
from hypothesis import settings

from meanwhile.storage.stores import Stores, Threads
from tests.support.key_machine import KeyMachine
from tests.support.thread_machine import ThreadMachine
from tests.support.thread_twin import twin_threads
from tests.support.twin import twin_stores

pytestmark = pytest.mark.exhaustive


class InMemory(ThreadMachine):
    """Every operation over the twins alone."""

    def stores(self) -> Stores:
        return twin_stores()

    def threads(self) -> Threads:
        return twin_threads()


InMemory.TestCase.settings = settings(max_examples=250, stateful_step_count=40, derandomize=True)
TestThreads = InMemory.TestCase


class KeysInMemory(KeyMachine):
    """The same, and keys."""

    def stores(self) -> Stores:
        return twin_stores()

    def threads(self) -> Threads:
        return twin_threads()


KeysInMemory.TestCase.settings = settings(max_examples=100, stateful_step_count=40, derandomize=True)
TestKeys = KeysInMemory.TestCase
