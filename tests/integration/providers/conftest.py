"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.fake_provider import FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Start a server; it stops with the test."""
    with FakeProvider() as server:
        yield server
