"""Facts are stored compactly, and come back as they were."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.facts import (
    Compacted,
    Delta,
    Dropped,
    Fact,
    GivenUp,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    Started,
    TextDone,
    coalesced,
    from_compact,
    to_compact,
)
from meanwhile.domain.model_events import Usage
from meanwhile.domain.response import Ended, Status

INDEX = st.integers(0, 200)
COUNT = st.integers(0, 10**9)
MAYBE = st.none() | st.text()
USAGE = st.builds(
    Usage,
    input_tokens=COUNT,
    output_tokens=COUNT,
    cached_tokens=COUNT,
    cache_write_tokens=COUNT,
    reasoning_tokens=COUNT,
)
FACTS: dict[type[Fact], st.SearchStrategy[Fact]] = {
    Started: st.just(Started()),
    Dropped: st.builds(Dropped, COUNT, st.none() | COUNT, COUNT, COUNT),
    ItemAdded: st.builds(ItemAdded, st.text(min_size=1), st.text(), st.text()),
    PartAdded: st.builds(PartAdded, INDEX, st.text(min_size=1)),
    Delta: st.builds(Delta, INDEX, st.text()),
    TextDone: st.builds(TextDone, INDEX),
    PartDone: st.builds(PartDone, INDEX),
    ItemDone: st.builds(ItemDone, INDEX, st.sampled_from(Status)),
    GivenUp: st.builds(GivenUp, INDEX),
    Compacted: st.builds(Compacted, st.text(), st.none() | USAGE),
    Ended: st.builds(
        Ended,
        status=st.sampled_from(Status),
        at=COUNT,
        reason=MAYBE,
        code=MAYBE,
        message=MAYBE,
        usage=st.none() | USAGE,
    ),
}
ANY = st.one_of(*FACTS.values())


def test_every_kind_of_fact_is_drawn_here() -> None:
    """A new kind must not slip past the round trip."""
    assert set(FACTS) == set(Fact.__args__)


@given(ANY)
def test_a_fact_survives_json(fact: Fact) -> None:
    """The table holds JSON; a fact that comes back changed would change what readers were told."""
    stored = json.loads(json.dumps(to_compact(fact)))

    assert from_compact(stored) == fact


@given(st.lists(ANY, max_size=10))
def test_no_two_facts_are_stored_alike(facts: list[Fact]) -> None:
    """What is told apart in memory is told apart in the table."""
    stored = {json.dumps(to_compact(fact)) for fact in facts}

    assert len(stored) == len(set(facts))


@pytest.mark.parametrize(
    "stored",
    [
        [],
        ["x"],
        ["s", 1],
        ["d", 0],
        ["e", "completed"],
        ["j", 0, "nonsense"],
        ["e", "nonsense", 0, None, None, None, None],
        ["e", "completed", 0, None, None, None, [1, 2]],
        ["i", "message", "call", "name", "more"],
        ["c", "sealed"],
        ["c", "sealed", [1, 2]],
    ],
    ids=str,
)
def test_what_no_version_writes_is_refused_as_corrupt(stored: list[Any]) -> None:
    """The sweeper goes on to the next response on a corrupt log, and on no other error."""
    with pytest.raises(LogCorrupt):
        from_compact(stored)


@given(st.lists(ANY, max_size=20))
def test_joining_deltas_changes_no_text_and_no_order(facts: list[Fact]) -> None:
    """Group commit makes one event of what is written together, and nothing else of it."""
    joined = coalesced(facts)

    assert _stretched(joined) == _stretched(facts)
    neighbours = pairwise(joined)
    assert not [one for one, two in neighbours if isinstance(one, Delta) and _of_item(two) == one.item]


def _of_item(fact: Fact) -> int | None:
    return fact.item if isinstance(fact, Delta) else None


def _stretched(facts: list[Fact]) -> list[object]:
    """Return facts with every delta as single letters."""
    stretched: list[object] = []
    for fact in facts:
        stretched += [(fact.item, each) for each in fact.text] if isinstance(fact, Delta) else [fact]
    return [each for each in stretched if each != ()]
