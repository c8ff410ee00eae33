"""One scene a test."""

import pytest

from tests.unit.operations.scene import Scene


@pytest.fixture
def scene() -> Scene:
    """Return an empty scene."""
    return Scene()
