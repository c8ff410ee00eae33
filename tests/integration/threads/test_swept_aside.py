"""Threads that the sweeper cannot open: they must not stand in the way of those that it can."""

from typing import Any

import pytest

from tests.integration.threads.conftest import Library
from tests.support import aws
from tests.support.thread_machine import DAY, OWNER, new_item

pytestmark = pytest.mark.parametrize("library", [64], indirect=True)


def due(library: Library) -> set[str]:
    """Return the threads that the sweeper would look at now."""
    shards = (library.threads.heads.due(str(each), now=library.clock(), limit=25) for each in range(16))
    return {thread for shard in shards for thread in shard}


def test_of_an_owner_whose_key_is_destroyed_what_is_due_is_removed(library: Library) -> None:
    """Nobody will ever read it, nor delete it by hand."""
    it = library.all.conversations.create(OWNER, items=[new_item("x" * 500), new_item("y" * 500)]).id
    library.threads.heads.look_at(it, at=library.clock())
    library.keyring.destroy(OWNER)

    library.sweep()

    assert due(library) == set()
    assert library.threads.heads.is_deleted(it)
    assert [part for part in parts_of(library) if "deleted" not in part] == []


def test_a_head_that_does_not_open_is_set_aside(library: Library) -> None:
    """The oldest that are due come first, a page at a time: a page of these would be the last one swept."""
    it = library.all.conversations.create(OWNER, items=[new_item("one")]).id
    library.threads.heads.look_at(it, at=library.clock())
    (head,) = [part for part in parts_of(library) if part["part"]["S"] == "head"]
    table().put_item(TableName=library.table, Item=head | {"payload": {"B": b"altered"}})

    library.sweep()

    assert due(library) == set()
    library.clock.advance(DAY + 1)
    assert due(library) == {it}


def table() -> Any:
    """Return a client that looks behind the stores' back."""
    return aws.client("dynamodb")


def parts_of(library: Library) -> list[dict[str, Any]]:
    """Return all that is in the table of threads."""
    found: list[dict[str, Any]] = table().scan(TableName=library.table)["Items"]
    return found
