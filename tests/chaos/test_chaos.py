"""The short form of `make chaos`: every scenario, and a spread of the calls at which something happens."""

from collections.abc import Iterator

import pytest

from tests.chaos.matrix import PARTS
from tests.chaos.trials import Pool, pool

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.exhaustive]

_EVERY = {"calls": 14, "deliveries": 40, "faults": 40}


@pytest.fixture(scope="module")
def players() -> Iterator[Pool]:
    """Return processes that play; they start with the first trial."""
    with pool(2) as started:
        yield started


@pytest.mark.parametrize("part", PARTS)
def test_whatever_happens_at_a_call_every_promise_holds(part: str, players: Pool) -> None:
    """`make chaos` does the same at every call; here the rest of the code is kept honest meanwhile."""
    rows = list(PARTS[part](players, every=_EVERY[part]))

    assert [broken for row in rows for broken in row.broken] == []
    assert all(row.verdicts for row in rows)
