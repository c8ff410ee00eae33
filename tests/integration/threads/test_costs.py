"""What threads cost in AWS calls, and that it does not grow with them."""

from collections import Counter

import pytest

from meanwhile.domain.threads import Place
from tests.integration.threads.conftest import Library
from tests.support.thread_machine import OWNER, item_id, new_item

pytestmark = pytest.mark.parametrize("library", [200_000], indirect=True, ids=["in the table"])


@pytest.fixture
def talk(library: Library) -> str:
    """Return a conversation of 300 items, in batches of 100."""
    made = library.all.conversations.create(OWNER)
    library.all.items.add(OWNER, made.id, [new_item(f"item {number}") for number in range(300)])
    return made.id


def test_a_response_that_continues_nothing_costs_nothing(library: Library) -> None:
    """No call, no write unit."""
    assert library.used(lambda: library.ended(library.asked("hello", response_id="resp_00000001"))) == {}


def test_a_response_in_a_conversation_costs_two_calls_more_to_accept_and_four_to_end(
    library: Library, talk: str
) -> None:
    """Lock and tip; then tip, pointers, batch, and the head that lets go."""
    used = library.used(lambda: library.asked("hello", response_id="resp_00000001", conversation=talk))
    assert used == {"UpdateItem": 1, "Query": 1}

    head = library.stores.responses.head("resp_00000001")
    assert head
    assert library.used(lambda: library.ended(head)) == {
        "Query": 1,
        "BatchWriteItem": 1,
        "PutItem": 1,
        "UpdateItem": 1,
    }


def test_a_chain_costs_a_read_to_accept_and_a_write_to_end(library: Library) -> None:
    """The first that continues a response pays for its thread: a look, two writes, and a look back."""
    library.ended(library.asked("one", response_id="resp_00000001"))

    first = library.used(
        lambda: library.asked("two", response_id="resp_00000002", previous_response_id="resp_00000001")
    )
    second = library.stores.responses.head("resp_00000002")
    assert second
    end = library.used(lambda: library.ended(second))
    further = library.used(
        lambda: library.asked("three", response_id="resp_00000003", previous_response_id="resp_00000002")
    )

    assert first == {"GetItem": 1, "PutItem": 2}
    assert end == {"PutItem": 1}
    assert further == {"GetItem": 1}


def test_a_page_is_one_query(library: Library, talk: str) -> None:
    """And one read of the head; behind a cursor, two more that find it."""
    page = library.used(lambda: library.all.items.page(OWNER, talk, limit=20))
    behind = library.used(
        lambda: library.all.items.page(OWNER, talk, limit=20, after=item_id("item 150"), newest_first=False)
    )

    assert page == {"BatchGetItem": 1, "Query": 1}
    assert behind == {"BatchGetItem": 1, "Query": 2, "GetItem": 1}


def test_a_page_of_conversations_is_one_query_and_one_read(library: Library) -> None:
    """However many there are."""
    for _ in range(12):
        library.all.conversations.create(OWNER)

    assert library.used(lambda: library.all.conversations.list(OWNER, limit=10)) == {
        "Query": 1,
        "BatchGetItem": 1,
    }


def test_choosing_what_fits_a_budget_follows_the_budget(library: Library, talk: str) -> None:
    """Of a long thread the newest batch is read, and nothing is opened."""
    head, _ = library.all.conversations.known(OWNER, talk)
    place = Place(path=head.path, position=head.tip)

    used: Counter[str] = Counter()

    def choose() -> None:
        chosen = library.all.recall.within(OWNER, place, budget=80)
        assert [entry.id for entry in chosen] == [item_id(f"item {number}") for number in range(290, 300)]

    used += library.used(choose)
    assert used == {"Query": 1}
