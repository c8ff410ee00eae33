"""Open streams in the table: counted, bounded, the oldest displaced first, the dead ones forgotten."""

from collections.abc import Iterator

import pytest

from meanwhile.storage.table import bound_to
from meanwhile.storage.watches import Place, WatchStore
from tests.support import aws
from tests.support.clock import Clock

SECONDS = 40
PER_RESPONSE, PER_OWNER = 2, 4


class Streams:
    """Streams of one response or another, which begin one second after the other."""

    def __init__(self, table: str) -> None:
        self.clock = Clock()
        self.store = WatchStore(aws.connected(bound_to(table)))

    def begin(self, response_id: str, owner: str = "ada") -> Place:
        self.clock.advance(1)
        return self.store.begin(
            owner,
            response_id,
            now=self.clock(),
            until=self.clock() + SECONDS,
            per_response=PER_RESPONSE,
            per_owner=PER_OWNER,
        )

    def goes_on(self, place: Place) -> bool:
        return self.store.renew(place, until=self.clock() + SECONDS)


@pytest.fixture(scope="module")
def _aws() -> Iterator[None]:
    with aws.moto_aws():
        yield


@pytest.fixture
def streams(_aws: None) -> Streams:
    """Return streams over a table of their own."""
    return Streams(aws.new_table())


def test_the_oldest_of_a_response_makes_room(streams: Streams) -> None:
    """Beyond a few it is most likely one whose client has left: the gateway does not tell."""
    first, second, third = (streams.begin("resp_1") for _ in range(3))

    assert [streams.goes_on(each) for each in (first, second, third)] == [False, True, True]


def test_the_oldest_of_an_owner_makes_room(streams: Streams) -> None:
    """Whatever it reads: no owner can hold all the executions there are."""
    places = [streams.begin(f"resp_{number}") for number in range(PER_OWNER + 1)]

    assert [streams.goes_on(each) for each in places] == [False, *[True] * PER_OWNER]


def test_owners_do_not_displace_each_other(streams: Streams) -> None:
    """Each is counted alone."""
    mine = streams.begin("resp_1")
    for number in range(PER_OWNER + 1):
        streams.begin(f"resp_{number}", owner="bob")

    assert streams.goes_on(mine)


def test_what_has_ended_counts_no_more(streams: Streams) -> None:
    """Many short streams one after the other displace nobody."""
    long = streams.begin("resp_1")
    for _ in range(2 * PER_OWNER):
        streams.store.end(streams.begin("resp_1"))

    assert streams.goes_on(long)


def test_what_died_counts_until_it_expires(streams: Streams) -> None:
    """An execution that was killed ends nothing; a renewed stream goes on beside it."""
    dead, alive = streams.begin("resp_1"), streams.begin("resp_1")
    streams.clock.advance(SECONDS / 2)
    assert streams.goes_on(alive)
    streams.clock.advance(SECONDS / 2 + 1)

    streams.begin("resp_1")

    assert [streams.goes_on(dead), streams.goes_on(alive)] == [False, True]


def test_a_stream_that_has_ended_does_not_come_back(streams: Streams) -> None:
    """A renewal that is late must not leave an entry that nobody removes."""
    place = streams.begin("resp_1")
    streams.store.end(place)

    assert not streams.goes_on(place)
    assert not streams.goes_on(place)


def test_a_thousand_dead_streams_are_removed_bit_by_bit(streams: Streams) -> None:
    """One batch write holds 25 items; those that begin later remove the rest."""
    for number in range(60):
        streams.store.begin(
            "ada", f"resp_{number}", now=number, until=number + 1, per_response=99, per_owner=99
        )

    for _ in range(3):
        streams.store.end(streams.begin("resp_1"))

    left = list(streams.store._items.query("watches_ada", consistent_read=True))
    assert left == []
