"""A process that dies before or after any AWS call has done all of it or nothing, and can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, ItemNotFound
from tests.integration.threads.conftest import Library
from tests.support.faults import Crash
from tests.support.thread_machine import DAY, OWNER, item_id, new_item

LONG = "".join(sha256(bytes([number])).hexdigest() for number in range(16))
"""Too long for the table, as this library is set up, and nothing that gets shorter when compressed."""
Act = Callable[[Library, str], object]


@dataclass(frozen=True)
class Case:
    """What is done to a conversation that says `one`, `two` and something long, and what it says then."""

    act: Act
    after: list[str] | None


def _answered(library: Library, conversation: str) -> None:
    """Ask and answer in the conversation, or mend what was asked and answered before."""
    head = library.stores.responses.head("resp_00000001")
    if head is None:
        head = library.asked("three", response_id="resp_00000001", conversation=conversation)
    library.ended(head)


CASES = {
    "add": Case(
        lambda library, it: library.all.add(OWNER, it, [new_item("three"), new_item(LONG[5:])], once="x"),
        ["one", "two", LONG, "three", LONG[5:]],
    ),
    "delete a short item": Case(
        lambda library, it: library.all.items.delete(OWNER, it, item_id("two")), ["one", LONG]
    ),
    "delete a long item": Case(
        lambda library, it: library.all.items.delete(OWNER, it, item_id(LONG)), ["one", "two"]
    ),
    "answer": Case(_answered, ["one", "two", LONG, "three"]),
    "delete all": Case(lambda library, it: library.all.conversations.delete(OWNER, it), None),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("case", CASES)
def test_it_is_there_whole_or_not_at_all_and_once(library: Library, case: str, *, late: bool) -> None:
    """Whichever call the process dies at, and however often it is tried again."""
    number, dead = 1, True
    while dead:
        dead = _dies_at(library, CASES[case], number, late=late)
        number += 1

    assert number > 4


def _dies_at(library: Library, case: Case, number: int, *, late: bool) -> bool:
    """Do it, and die at this call; then do it again. Whether there was such a call."""
    library.stores.responses._rows.clear()  # type: ignore[attr-defined]  # a twin's
    before = ["one", "two", LONG]
    made = library.all.conversations.create(OWNER, items=[new_item(each) for each in before])
    library.calls.clear()
    library.dies_at, library.dies_late = number, late
    dead = False
    try:
        case.act(library, made.id)
    except Crash:
        dead = True
    library.dies_at = None

    assert _shown(library, made.id) in ([before, case.after] if dead else [case.after])
    try:
        case.act(library, made.id)
    except (ConversationNotFound, ItemNotFound):
        pass  # it had been done
    except InvalidRequest:
        library.clock.advance(61)  # a lock that nobody holds
        case.act(library, made.id)
    assert _shown(library, made.id) == case.after
    if case.after is None:
        library.sweep()
        library.sweep(2 * 86_400)
        assert library.objects(made.id) == []
        assert all("payload" not in row for row in library.rows(made.id))
    elif LONG not in case.after and LONG[5:] not in case.after:
        library.sweep(2 * 86_400)
        assert library.objects(made.id) == []
    return dead


def _shown(library: Library, conversation: str) -> list[str] | None:
    try:
        return library.said(conversation)
    except ConversationNotFound:
        return None


def test_a_delete_whose_answer_was_lost_was_made(library: Library) -> None:
    """The AWS library sends it again, and the table says that it is deleted already: by us."""
    made = library.all.conversations.create(OWNER, items=[new_item(LONG)])

    library.loses = "UpdateItem"
    library.all.conversations.delete(OWNER, made.id)

    assert library.objects(made.id) == []
    with pytest.raises(ConversationNotFound):
        library.all.conversations.delete(OWNER, made.id)


@pytest.mark.parametrize("others", [True, False], ids=["others deleted since", "looked at too early"])
def test_what_a_deletion_left_in_the_bucket_is_gone_a_day_later(library: Library, *, others: bool) -> None:
    """However often others push the look away, and though a first look finds it too young to judge."""
    made = library.all.conversations.create(OWNER, items=[new_item(LONG)])
    library.all.add(OWNER, made.id, [new_item(LONG[5:])])
    library.clock.time = library.written_at(made.id) - (0 if others else 2 * DAY)
    library.dies_before = "DeleteObject"
    with pytest.raises(Crash):
        library.all.items.delete(OWNER, made.id, item_id(LONG))
    assert len(library.objects(made.id)) == 2

    for _ in range(3):
        library.sweep(DAY * 2 / 3)
        if others:
            library.all.add(OWNER, made.id, [new_item(LONG[10:])])
            library.all.items.delete(OWNER, made.id, item_id(LONG[10:]))
    library.sweep(0 if others else DAY + 10)

    assert library.objects(made.id) == library.named(made.id)
    assert library.said(made.id) == [LONG[5:]]
