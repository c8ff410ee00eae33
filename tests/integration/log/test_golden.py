"""What earlier releases have stored is read as it was read then, to the letter."""

from collections.abc import Iterator

import pytest

from tests.golden.stored import Room, Stored, releases
from tests.golden.threads import Shelf, StoredThreads, kept
from tests.support import aws

STORED = list(releases())


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """Return an empty table and bucket."""
    with aws.moto_aws():
        yield Room()


@pytest.mark.parametrize(
    "stored", [each for _, each in STORED], ids=[f"{release}: {each.name}" for release, each in STORED]
)
def test_what_a_release_has_stored_reads_the_same(room: Room, stored: Stored) -> None:
    """Responses are kept for a month: whoever deploys a newer version finds all of theirs as they were."""
    room.put(stored)

    assert room.response(stored.response_id) == stored.response
    assert room.events(stored.response_id) == stored.events


@pytest.mark.parametrize("stored", [pytest.param(each, id=release) for release, each in kept()])
def test_threads_that_a_release_has_stored_read_the_same(room: Room, stored: StoredThreads) -> None:
    """Conversations are kept until somebody deletes them: they outlive every version."""
    shelf = Shelf(room)
    shelf.put(stored)

    assert {each: shelf.shown(each) for each in stored.conversations} == stored.conversations
    assert {each: shelf.items(each) for each in stored.items} == stored.items
    assert shelf.said(stored.path) == stored.said
    assert shelf.expanded(stored.compaction["item"]) == stored.compaction["shown"]
    assert StoredThreads.from_json(stored.to_json()) == stored
    assert stored.objects
    assert all(stored.items.values())
    assert stored.said


def test_a_history_that_changed_would_be_noticed(room: Room) -> None:
    """Else the above would prove nothing."""
    stored = next(each for _, each in STORED if each.name == "text")
    room.put(stored)
    told = room.events(stored.response_id)

    assert told[5]["delta"] != ""
    assert [event["sequence_number"] for event in told] == [*range(len(told))]
    assert stored.to_json() == Stored.from_json(stored.to_json()).to_json()
    assert any(each.objects for _, each in STORED)
