"""Conversations made under a key, on moto: whoever dies at any AWS call leaves all of it or nothing."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from meanwhile.domain.attempt import Attempt
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, OwnerDeleted
from meanwhile.operations.threads.make_once import Made
from tests.integration.threads.conftest import Library
from tests.integration.threads.test_crashes import LONG
from tests.support.faults import Crash
from tests.support.thread_machine import DAY, OWNER, item_id, new_item

Make = Callable[[Library, str, Attempt], Made]


def create(library: Library, source: str, of: Attempt) -> Made:
    del source
    items = [new_item("one"), new_item(LONG)]
    return library.all.make_once.create(OWNER, of, items=items, title="a title", tags=["a"])


def fork(library: Library, source: str, of: Attempt) -> Made:
    return library.all.make_once.fork(OWNER, source, of, after=item_id("two"))


def edit(library: Library, source: str, of: Attempt) -> Made:
    return library.all.make_once.edit(OWNER, source, of, item_id("two"), new_item(LONG[5:]))[0]


MAKES: dict[Make, list[str]] = {create: ["one", LONG], fork: ["one", "two"], edit: ["one", LONG[5:]]}
"""What each makes; what is long lies in the bucket."""

each = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)


@pytest.fixture
def source(library: Library) -> str:
    """Return a conversation to branch off."""
    items = [new_item("one"), new_item("two"), new_item("three")]
    return library.all.conversations.create(OWNER, items=items).id


def attempt(key: str = "k1", said: str = "this") -> Attempt:
    return Attempt(digest=sha256(said.encode()).digest(), key=key)


def listed(library: Library) -> list[str]:
    return sorted(row.id for row in library.all.conversations.list(OWNER, limit=100).rows)


@pytest.mark.exhaustive
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@each
def test_it_is_there_whole_or_not_at_all_and_once(
    library: Library,
    source: str,
    make: Make,
    *,
    late: bool,
) -> None:
    """Whichever call the process dies at; the retry finds it, or makes it, and nothing comes twice."""
    number, dead = 0, True
    while dead:
        number += 1
        key, before = attempt(f"k{number}"), listed(library)
        library.calls.clear()
        library.dies_at, library.dies_late = number, late
        try:
            make(library, source, key)
            dead = False
        except Crash:
            dead = True
        library.dies_at = None
        here = [each for each in listed(library) if each not in before]
        assert [library.said(each) for each in here] in ([], [MAKES[make]])
        assert here or dead

        made = make(library, source, key)

        assert made.replayed is bool(here)
        assert sorted([*before, made.conversation.id]) == listed(library)
        assert library.said(made.conversation.id) == MAKES[make]

    assert number > 2


@each
def test_a_write_whose_answer_was_lost_was_made(library: Library, source: str, make: Make) -> None:
    """The AWS library sends it again. Though the table took that for another's, the object of it stays."""
    library.loses = "TransactWriteItems"

    made = make(library, source, attempt())

    assert library.said(made.conversation.id) == MAKES[make]
    assert library.objects(made.conversation.id) == library.named(made.conversation.id)


@each
def test_of_two_calls_at_once_one_makes_it(library: Library, source: str, make: Make) -> None:
    """The slower one had found nothing, and writes when the other has: it is led there."""
    others: list[Made] = []
    library.before["TransactWriteItems"] = lambda: others.append(make(library, source, attempt()))

    made = make(library, source, attempt())

    assert [each.replayed for each in (made, *others)] == [True, False]
    assert made.conversation.id == others[0].conversation.id
    assert library.said(made.conversation.id) == MAKES[make]
    assert library.objects(made.conversation.id) == library.named(made.conversation.id)


@each
def test_a_slow_call_brings_nothing_back(library: Library, source: str, make: Make) -> None:
    """It writes when what another has made for it is deleted."""
    others: list[str] = []

    def meanwhile() -> None:
        others.append(make(library, source, attempt()).conversation.id)
        library.all.conversations.delete(OWNER, others[0])
        library.sweep(2 * DAY)

    library.before["TransactWriteItems"] = meanwhile
    with pytest.raises(InvalidRequest, match="is gone"):
        make(library, source, attempt())

    assert listed(library) == [source]
    assert library.objects(others[0]) == []
    assert all("payload" not in row for row in library.rows(others[0]))


def test_what_is_left_of_a_deleted_one_is_not_built_upon(library: Library, source: str) -> None:
    """Tables remove what has expired in any order; a head outlasts what could be mistaken for its items."""
    made = create(library, source, attempt())
    library.all.conversations.delete(OWNER, made.conversation.id)
    library.sweep(2 * DAY)

    ends = {row["part"]["S"]: int(row["expires_at"]["N"]) for row in library.rows(made.conversation.id)}

    head = ends.pop("head")
    assert ends
    assert head >= max(ends.values()) + 28 * DAY


def test_neither_key_nor_body_can_be_told_from_what_is_stored(library: Library, source: str) -> None:
    """Two owners who send the same under the same key have nothing in common, nor have two keys."""
    del source
    said: list[set[str]] = []
    for owner, key in ((OWNER, "k1"), (OWNER, "k2"), ("bob", "k1")):
        made = library.all.make_once.create(owner, attempt(key))
        (head,) = [row for row in library.rows(made.conversation.id) if row["part"]["S"] == "head"]
        said.append({made.conversation.id.removeprefix("conv_"), head["asked"]["S"]})

    assert len(set.union(*said)) == 6
    for word in ("k1", "this"):
        hashed = sha256(word.encode()).hexdigest()
        assert all(not each.startswith(hashed[:16]) for each in set.union(*said))


def test_a_destroyed_owner_is_told_what_they_are_told_without_a_key(library: Library, source: str) -> None:
    """Their key is needed to name a conversation, and it is gone."""
    create(library, source, attempt())
    library.keyring.destroy(OWNER)
    library.clock.advance(DAY)

    with pytest.raises(OwnerDeleted):
        create(library, source, attempt())
    for make in (fork, edit):
        with pytest.raises(ConversationNotFound):
            make(library, source, attempt())


def test_a_rotation_of_the_owners_key_does_not_hide_it(library: Library, source: str) -> None:
    """A retry comes on either side of it."""
    made = create(library, source, attempt())
    library.keyring.rotate(OWNER)

    again = create(library, source, attempt())

    assert (again.replayed, again.conversation.id) == (True, made.conversation.id)
