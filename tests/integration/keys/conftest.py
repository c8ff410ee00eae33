"""The tables of keys on moto, in this process."""

from collections.abc import Iterator
from functools import cache

import pytest
from botocore.loaders import JSONFileLoader

from tests.integration.keys.office import Office
from tests.support.aws import moto_aws


@pytest.fixture(scope="module")
def on_moto() -> Iterator[None]:
    """Start moto and read what botocore knows of its services once: that takes longer than the tests."""
    read = cache(JSONFileLoader().load_file)
    with moto_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _loader, path: read(path))
        yield


@pytest.fixture
def office(on_moto: None) -> Office:  # noqa: ARG001  # moto first
    """Return empty tables, and what works on them."""
    return Office()
