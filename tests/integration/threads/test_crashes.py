"""A process that dies before or after any AWS call has done all of it or nothing, and can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, ItemNotFound
from tests.integration.threads.conftest import Library
from tests.support.faults import Crash
from tests.support.thread_machine import OWNER, item_id, new_item

LONG = "word " * 200
"""Too long for the table, as this library is set up."""
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
        lambda library, it: library.all.items.add(
            OWNER, it, [new_item("three"), new_item(LONG[5:])], once="x"
        ),
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


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("case", CASES)
def test_it_is_there_whole_or_not_at_all_and_once(library: Library, case: str, late: bool) -> None:  # noqa: FBT001
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
