"""Items that an SDK sends again without a key, over stores in memory: what was added last is not doubled."""

import json
from hashlib import sha256
from typing import Any

import pytest

from meanwhile.domain.attempt import Attempt
from meanwhile.domain.errors import InvalidRequest, Unavailable
from meanwhile.operations.threads.add_items import CHUNK_ITEMS
from meanwhile.operations.threads.items import Item
from tests.support.thread_machine import new_item, text_of
from tests.unit.operations.reading import OWNER, Reading

MANY = [str(number) for number in range(2 * CHUNK_ITEMS + 50)]


class Desk(Reading):
    """One place where items are added."""

    def __init__(self) -> None:
        super().__init__()
        self.it = self.made()

    def made(self, *words: str) -> str:
        return self.all.conversations.create(OWNER, items=[new_item(word) for word in words]).id

    def sent(self, *words: str, to: str | None = None, again: bool = False, key: str | None = None) -> Any:
        """Add what was sent; each time under new ids."""
        self.clock.advance(1)
        items = [new_item(word) for word in words]
        for number, item in enumerate(items):
            item.content["id"] = f"msg_{self.clock.time}_{number}"
        digest = sha256(json.dumps(words).encode()).digest()
        attempt = Attempt(digest=digest, key=key, repeats=again)
        return self.all.add_once(OWNER, to or self.it, items, attempt)

    def said(self, it: str | None = None) -> list[str]:
        found: list[Item] = []
        after: str | None = None
        while True:
            page = self.all.items.page(OWNER, it or self.it, limit=100, after=after, newest_first=False)
            found += page.items
            if not page.has_more:
                return [text_of(item.content) for item in found]
            after = found[-1].entry.id


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_retry_gets_what_its_first_call_has_added(desk: Desk) -> None:
    """With the ids that it has there; and the conversation says it once."""
    desk.sent("zero")
    first = desk.sent("one", "two")

    again = desk.sent("one", "two", again=True)

    assert again == first
    assert desk.said() == ["zero", "one", "two"]


@pytest.mark.parametrize("key", [None, "k1"], ids=["no key", "key"])
def test_a_call_that_adds_nothing_is_no_activity(desk: Desk, key: str | None) -> None:
    """Its conversation stays where it is in the list; and a second retry does not push the limit away."""
    desk.sent("one", key=key)
    active = desk.clock()
    desk.sent("one", again=True, key=key)

    head = desk.threads.heads.head(desk.it)
    assert head
    assert head.active_at == active


def test_a_retry_of_what_never_came_adds_it(desk: Desk) -> None:
    """The first call may not have reached anybody."""
    desk.sent("one")

    desk.sent("two", again=True)
    desk.sent("two", "three", again=True)

    assert desk.said() == ["one", "two", "two", "three"]


def test_only_a_retry_is_taken_for_one(desk: Desk) -> None:
    """People say the same twice, and mean it."""
    desk.sent("yes")
    desk.sent("yes")

    assert desk.said() == ["yes", "yes"]


@pytest.mark.parametrize("lost", range(1, 4))
def test_a_retry_adds_what_its_first_call_did_not_come_to(desk: Desk, lost: int, monkeypatch: Any) -> None:
    """Chunks that are there stay; nothing comes twice, nothing is missing."""
    desk.sent("zero")
    append, left = desk.threads.log.append, [lost]

    def failing(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Unavailable("the table is throttled")
        return append(*args, **more)

    monkeypatch.setattr(desk.threads.log, "append", failing, raising=False)
    with pytest.raises(Unavailable):
        desk.sent(*MANY)

    added = desk.sent(*MANY, again=True)

    assert [text_of(item.content) for item in added] == MANY
    assert desk.said() == ["zero", *MANY]
    assert desk.sent(*MANY, again=True) == added


def test_a_retry_that_comes_late_is_no_retry(desk: Desk) -> None:
    """Fifteen minutes after it was added, as for responses."""
    desk.sent("one")
    desk.clock.advance(899)
    desk.sent("one", again=True)
    assert desk.said() == ["one"]

    desk.clock.advance(1)
    desk.sent("one", again=True)

    assert desk.said() == ["one", "one"]


def test_what_nobody_has_told_of_was_added_by_a_call_that_died(desk: Desk, monkeypatch: Any) -> None:
    """Its batch stands beyond the tip that the head names, whose time is of something older."""
    desk.sent("one")
    desk.clock.advance(86_400)

    def dies(*_: Any, **__: Any) -> None:
        raise Unavailable("the table is throttled")

    with monkeypatch.context() as patch:
        patch.setattr(desk.threads.heads, "moved", dies, raising=False)
        with pytest.raises(Unavailable):
            desk.sent("two")
    desk.sent("two", again=True)

    assert desk.said() == ["one", "two"]
    head = desk.threads.heads.head(desk.it)
    assert head
    assert (head.tip, head.active_at) == (2, desk.clock())


def test_what_others_have_added_since_hides_it(desk: Desk) -> None:
    """Only the newest is looked at: what stands further up may have been meant."""
    desk.sent("one")
    desk.sent("two")
    desk.sent("one", again=True)

    assert desk.said() == ["one", "two", "one"]


def test_the_end_of_a_larger_call_is_another_call(desk: Desk) -> None:
    """What was added together belongs together."""
    desk.sent("one", "two")
    desk.sent("two", again=True)

    assert desk.said() == ["one", "two", "two"]


def test_what_says_something_else_is_something_else(desk: Desk) -> None:
    """Of the same length, too: what stands in the clear decides nothing by itself."""
    desk.sent("one")
    desk.sent("two", again=True)

    assert desk.said() == ["one", "two"]


def test_what_was_deleted_is_not_taken_for_what_is_sent(desk: Desk) -> None:
    """Nobody can tell any more what it said."""
    (added,) = desk.sent("one")
    desk.all.items.delete(OWNER, desk.it, added.entry.id)

    desk.sent("one", again=True)

    assert desk.said() == ["one"]


def test_what_a_branch_shares_was_not_added_to_it(desk: Desk) -> None:
    """It says `one` because the other does."""
    desk.sent("one")
    branch = desk.all.items.fork(OWNER, desk.it).id

    desk.sent("one", to=branch, again=True)

    assert desk.said(branch) == ["one", "one"]


def test_while_a_response_runs_a_retry_gets_what_is_there_and_adds_nothing(desk: Desk) -> None:
    """Its first call came before the response."""
    first = desk.sent("one")
    desk.accepted(new_item("?").content, conversation=desk.it)

    assert desk.sent("one", again=True) == first
    with pytest.raises(InvalidRequest) as refused:
        desk.sent("two", again=True)
    assert refused.value.narrow_code == "conversation_locked"


def test_a_first_call_looks_for_nothing(desk: Desk) -> None:
    """It costs what it did; and what is plainly something else is not opened."""
    desk.calls.clear()
    desk.sent("one")
    first = [*desk.calls]
    desk.calls.clear()
    desk.sent("longer", again=True)

    assert first == ["conversation", "up", "append", "moved"]
    assert desk.calls == ["conversation", "up", "newest", "up", "append", "moved"]
