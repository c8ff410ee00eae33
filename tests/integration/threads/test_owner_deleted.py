"""Conversations of owners who are deleted: unreadable at once, and gone soon."""

import pytest

from meanwhile.operations.accounts.delete_owner import DeleteOwner
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from tests.integration.threads.conftest import Library
from tests.support import aws
from tests.support.thread_machine import OWNER, new_item

OTHERS = "other"
USER = f"{OWNER}/alice"
LONG = "long " * 200
"""More than the table takes."""


@pytest.fixture
def delete_owner(library: Library) -> DeleteOwner:
    keys = ApiKeys(aws.connected(api_keys_in(aws.new_api_keys_table())))
    return DeleteOwner(keys=keys, keyring=library.keyring, threads=library.threads.heads, now=library.clock)


def talk_of(library: Library, owner: str) -> str:
    """Make a conversation that says something long and something short; return its id."""
    made = library.all.conversations.create(owner, items=[new_item("hello")], title="a title")
    library.all.add(owner, made.id, [new_item(LONG)])
    return made.id


def left_of(library: Library, thread: str) -> set[str]:
    """Return the names of everything that is kept of a thread."""
    return {name for row in library.rows(thread) for name in row}


def test_the_sweeper_removes_them(library: Library, delete_owner: DeleteOwner) -> None:
    """They have no time of their own: ids, counts and times would stay for ever. Others' are left alone."""
    mine, alices, others = (talk_of(library, owner) for owner in (OWNER, USER, OTHERS))

    delete_owner(OWNER)
    library.sweep()

    for thread in (mine, alices):
        assert library.objects(thread) == []
        assert not left_of(library, thread) & {"payload", "entries", "owner", "tokens", "tip", "active_at"}
    assert library.said(others, owner=OTHERS) == ["hello", LONG]


def test_deleting_again_finds_what_was_made_meanwhile(library: Library, delete_owner: DeleteOwner) -> None:
    """A function that is awake writes for them for half a minute; and a deletion may stop half way."""
    alices = talk_of(library, USER)
    library.keyring.destroy(OWNER)
    library.keyring.destroy(USER)

    delete_owner(OWNER)
    library.sweep()

    assert "owner" not in left_of(library, alices)
