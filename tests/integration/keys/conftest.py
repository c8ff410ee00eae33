"""The tables of keys on moto, in this process."""

from collections.abc import Iterator

import pytest

from tests.integration.keys.office import Office
from tests.support.aws import moto_aws


@pytest.fixture(scope="module")
def on_moto() -> Iterator[None]:
    """Start moto once: that takes longer than the tests."""
    with moto_aws():
        yield


@pytest.fixture
def office(on_moto: None) -> Office:  # noqa: ARG001  # moto first
    """Return empty tables, and what works on them."""
    return Office()
