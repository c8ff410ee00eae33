"""A service that does as told, for the command line to call."""

from collections.abc import Iterator

import pytest

from tests.unit.cli.fake_service import FakeService, serving


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """Run a scripted service, and point the environment at it."""
    for name in ("MEANWHILE_API_KEY", "MEANWHILE_MODEL", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        monkeypatch.setenv("MEANWHILE_URL", running.url)
        yield running
