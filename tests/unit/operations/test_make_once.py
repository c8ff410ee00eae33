"""Conversations made under a key, over stores in memory: one, however often the call comes."""

from hashlib import sha256
from typing import Protocol

import pytest

from meanwhile.domain.attempt import Attempt
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest
from meanwhile.domain.threads import About
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.make_once import Made
from meanwhile.operations.threads.recall import Recall
from tests.support.accidents import Accidents, die
from tests.support.clock import Clock
from tests.support.faults import Crash
from tests.support.thread_machine import DAY, OWNER, item_id, new_item, text_of
from tests.support.thread_twin import twin_threads
from tests.support.twin import twin_stores

WORDS = ["one", "two", "three"]


class Desk:
    """One place where conversations are made, and where anything can happen between two calls."""

    def __init__(self) -> None:
        self.clock, self.accidents, stores = Clock(), Accidents(), twin_stores()
        self.threads = self.accidents.over_threads(twin_threads())
        join = Join(
            threads=self.threads,
            responses=stores.responses,
            recall=Recall(threads=self.threads),
            count=lambda _owner, _model, item: len(text_of(item)),
            now=self.clock,
        )
        ending = Ending(stores=stores, now=self.clock, unstored_retention_seconds=600, join=join)
        read = Read(stores=stores, ending=ending, now=self.clock)
        self.all = Conversing.over(join, read, now=self.clock, kept_seconds=30 * DAY)
        items = [new_item(word) for word in WORDS]
        self.source = self.all.conversations.create(OWNER, items=items, title="a title").id

    def said(self, conversation: str, *, owner: str = OWNER) -> list[str]:
        page = self.all.items.page(owner, conversation, limit=100, newest_first=False)
        return [text_of(item.content) for item in page.items]

    def listed(self, *, owner: str = OWNER) -> set[str]:
        """Return the ids of all conversations but the one that was there."""
        rows = [row.id for row in self.all.conversations.list(owner, limit=100).rows]
        assert len(set(rows)) == len(rows)
        return set(rows) - {self.source}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def attempt(key: str | None = "k1", said: str = "this") -> Attempt:
    return Attempt(digest=sha256(said.encode()).digest(), key=key)


def create(desk: Desk, of: Attempt, owner: str = OWNER) -> Made:
    items = [new_item(word) for word in WORDS]
    return desk.all.make_once.create(owner, of, items=items, title="a title", pinned=[item_id("two")])


def fork(desk: Desk, of: Attempt, owner: str = OWNER) -> Made:
    return desk.all.make_once.fork(owner, desk.source, of, after=item_id("two"))


def edit(desk: Desk, of: Attempt, owner: str = OWNER) -> Made:
    made, item = desk.all.make_once.edit(owner, desk.source, of, item_id("two"), new_item("2"), version=1)
    assert (item.entry.id, item.entry.version, item.entry.parent_version) == (item_id("two"), 2, 1)
    assert (text_of(item.content), item.content["id"]) == ("2", item_id("two"))
    return made


class Act(Protocol):
    """Something that makes a conversation."""

    def __call__(self, desk: Desk, of: Attempt, owner: str = OWNER) -> Made:
        """Make it."""


MAKES: dict[Act, list[str]] = {create: WORDS, fork: ["one", "two"], edit: ["one", "2"]}
"""What a call makes."""


def made_beside(desk: Desk, number: int, make: Act, key: str) -> list[Made]:
    """Have a second call come under a key, at a moment of the first; return what it will be given."""
    others: list[Made] = []
    desk.accidents.plan(number, lambda: others.append(make(desk, attempt(key))))
    return others


each = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)


@each
def test_the_same_key_gives_the_same_conversation(desk: Desk, make: Act) -> None:
    """As it stands now, and it says which call it was that made it."""
    first = make(desk, attempt())
    desk.all.conversations.update(OWNER, first.conversation.id, lambda _: About(title="another"))
    desk.clock.advance(400 * DAY)
    again = make(desk, attempt())

    assert (first.replayed, again.replayed) == (False, True)
    assert first.conversation.about.title == "a title"
    assert again.conversation.about.title == "another"
    assert desk.listed() == {first.conversation.id} == {again.conversation.id}
    assert desk.said(first.conversation.id) == MAKES[make]


@each
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_call_that_died_is_made_once(desk: Desk, make: Act, *, late: bool) -> None:
    """Whichever call it died at there is all of it or nothing, and the next one finds or makes it."""
    number, died = 0, True
    while died:
        number += 1
        key, before = f"k{number}", desk.listed()
        desk.accidents.plan(number, die, late=late)
        try:
            make(desk, attempt(key))
            died = False
        except Crash:
            died = True
        desk.accidents.clear()
        for conversation in desk.listed() - before:
            assert desk.said(conversation) == MAKES[make]

        made = make(desk, attempt(key))
        assert desk.listed() - before == {made.conversation.id}
        assert desk.said(made.conversation.id) == MAKES[make]

    assert number > 2


@each
def test_of_two_calls_at_once_one_makes_it(desk: Desk, make: Act) -> None:
    """At whichever moment of the first the second comes, both are given the same."""
    number, met = 0, True
    while met:
        number += 1
        key, before = f"k{number}", desk.listed()
        others = made_beside(desk, number, make, key)
        made = make(desk, attempt(key))
        desk.accidents.clear()
        met = bool(others)

        assert desk.listed() - before == {each.conversation.id for each in [made, *others]}
        assert [each.replayed for each in [made, *others]].count(False) == 1
        assert desk.said(made.conversation.id) == MAKES[make]

    assert number > 2


@each
def test_a_late_call_with_another_body_adds_nothing_to_what_there_is(desk: Desk, make: Act) -> None:
    """It is refused, at whichever moment of its own the other comes; and of itself it leaves nothing."""
    number, met = 0, True
    while met:
        number += 1
        key = f"k{number}"
        others = made_beside(desk, number, make, key)
        try:
            desk.all.make_once.create(OWNER, attempt(key, "that"), items=[new_item("x")])
        except InvalidRequest:
            met = True
        else:
            met = False
        desk.accidents.clear()
        assert met is bool(others)
        if met:
            assert desk.said(others[0].conversation.id) == MAKES[make]

    assert number > 2


@each
@pytest.mark.parametrize("other", MAKES, ids=lambda make: make.__name__)
def test_a_key_is_for_one_request(desk: Desk, make: Act, other: Act) -> None:
    """The next is refused by the name of the header, and makes nothing; another key makes another."""
    made = make(desk, attempt())

    with pytest.raises(InvalidRequest, match="another request") as refused:
        other(desk, attempt(said="that"))
    assert (refused.value.param, refused.value.narrow_code) == ("Idempotency-Key", "idempotency_key_reused")
    assert desk.listed() == {made.conversation.id}

    assert not other(desk, attempt("k2", said="that")).replayed


@each
@pytest.mark.parametrize("seconds", [0, 2 * DAY])
def test_what_was_deleted_is_not_made_again(desk: Desk, make: Act, seconds: int) -> None:
    """Whatever brings the call back should not bring back what somebody deleted."""
    made = make(desk, attempt())
    desk.all.conversations.delete(OWNER, made.conversation.id)
    desk.clock.advance(seconds)
    desk.threads.burial.bury(made.conversation.id, now=desk.clock(), at_most=100)

    with pytest.raises(InvalidRequest, match="is gone") as refused:
        make(desk, attempt())

    assert (refused.value.param, refused.value.narrow_code) == ("Idempotency-Key", "idempotency_key_reused")
    assert desk.listed() == set()


@each
def test_what_is_deleted_while_it_is_looked_at_is_gone(desk: Desk, make: Act) -> None:
    """Between the two looks of a call that came again."""
    made = make(desk, attempt())
    desk.accidents.plan(3, lambda: desk.all.conversations.delete(OWNER, made.conversation.id))

    with pytest.raises(InvalidRequest, match="is gone"):
        make(desk, attempt())


@pytest.mark.parametrize("make", [fork, edit], ids=lambda make: make.__name__)
def test_a_branch_is_found_when_what_it_branched_off_is_gone(desk: Desk, make: Act) -> None:
    """The call was answered, or should have been; that its reason is gone does not undo it."""
    made = make(desk, attempt())
    desk.all.conversations.delete(OWNER, desk.source)

    assert make(desk, attempt()).conversation.id == made.conversation.id
    with pytest.raises(ConversationNotFound):
        make(desk, attempt("k2"))


def test_an_edit_whose_item_was_deleted_is_not_made_again(desk: Desk) -> None:
    """There is no item to answer with, and none is made up."""
    made = edit(desk, attempt())
    desk.all.items.delete(OWNER, made.conversation.id, item_id("two"))

    with pytest.raises(InvalidRequest, match="is gone") as refused:
        edit(desk, attempt())
    assert refused.value.narrow_code == "idempotency_key_reused"


def test_the_same_key_of_two_owners_makes_two(desk: Desk) -> None:
    """Nothing that another owner sends leads to what is not theirs, or tells that it is there."""
    mine, theirs = create(desk, attempt()), create(desk, attempt(), owner="bob")

    assert mine.conversation.id != theirs.conversation.id
    assert (mine.replayed, theirs.replayed) == (False, False)
    for make in (fork, edit):
        make(desk, attempt("k2" if make is fork else "k3"))
        with pytest.raises(ConversationNotFound):
            make(desk, attempt("k2" if make is fork else "k3"), owner="bob")
    assert desk.listed(owner="bob") == {theirs.conversation.id}


@each
def test_without_a_key_each_call_makes_one(desk: Desk, make: Act) -> None:
    """Two people may say the same, and nothing tells them from one who says it twice."""
    first, again = make(desk, attempt(None)), make(desk, attempt(None))

    assert desk.listed() == {first.conversation.id, again.conversation.id}
    assert len(desk.listed()) == 2
