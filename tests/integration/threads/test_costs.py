"""What threads cost in AWS calls, and that it does not grow with them."""

from collections import Counter

import pytest

from meanwhile.domain.attempt import Attempt
from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Request
from meanwhile.domain.threads import Place
from meanwhile.domain.window import Window
from meanwhile.operations.context.build import Context
from meanwhile.operations.context.choose import Measure
from meanwhile.operations.context.fit import Fit
from meanwhile.operations.context.remembered import Remembered
from tests.integration.threads.conftest import Library
from tests.support.compacting import EXPAND
from tests.support.thread_machine import OWNER, item_id, new_item, text_of

ONE, TWO, THREE = (f"resp_{number:048d}" for number in (1, 2, 3))

pytestmark = pytest.mark.parametrize("library", [200_000], indirect=True, ids=["in the table"])


@pytest.fixture
def talk(library: Library) -> str:
    """Return a conversation of 300 items, in batches of 100."""
    made = library.all.conversations.create(OWNER)
    library.all.add(OWNER, made.id, [new_item(f"item {number}") for number in range(300)])
    return made.id


def test_a_response_that_continues_nothing_costs_nothing(library: Library) -> None:
    """No call, no write unit."""
    assert library.used(lambda: library.ended(library.asked("hello", response_id=ONE))) == {}


def test_a_response_in_a_conversation_costs_two_calls_more_to_accept_and_four_to_end(
    library: Library, talk: str
) -> None:
    """Lock and tip; then tip, pointers, batch, and the head that lets go."""
    used = library.used(lambda: library.asked("hello", response_id=ONE, conversation=talk))
    assert used == {"UpdateItem": 1, "Query": 1}

    head = library.stores.responses.head(ONE)
    assert head
    assert library.used(lambda: library.ended(head)) == {
        "Query": 1,
        "BatchWriteItem": 1,
        "PutItem": 1,
        "UpdateItem": 1,
    }


def test_a_chain_costs_a_read_to_accept_and_a_write_to_end(library: Library) -> None:
    """The first that continues a response pays for its thread: a look, two writes, and a look back."""
    library.ended(library.asked("one", response_id=ONE))

    first = library.used(lambda: library.asked("two", response_id=TWO, previous_response_id=ONE))
    second = library.stores.responses.head(TWO)
    assert second
    end = library.used(lambda: library.ended(second))
    further = library.used(lambda: library.asked("three", response_id=THREE, previous_response_id=TWO))

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


def test_what_a_model_is_shown_costs_a_look_and_a_query_a_page(library: Library, talk: str) -> None:
    """Heads and pins, then the newest; a warm worker reads what is new, and nothing where nothing is."""
    context = Context(
        recall=library.all.recall,
        measure=Measure(window=lambda _: Window(tokens=80, answer=0), at_most=lambda _: 0, count=lambda _: 0),
        expand=lambda _, item: [item],
        remembered=Remembered(most_bytes=10**6, seconds=300, now=library.clock, is_short=lambda: False),
    )
    head, _ = library.all.conversations.known(OWNER, talk)

    def shown(end: int) -> None:
        place = Place(path=head.path, position=end, tokens=10**6).to_json()
        request = Request(model="m", input=[], truncation="auto", place=place)
        assert [text_of(item) for item in context(OWNER, request).request.input] == [
            f"item {number}" for number in range(end - 10, end)
        ]

    assert library.used(lambda: shown(300)) == {"BatchGetItem": 1, "Query": 1}
    assert library.used(lambda: shown(300)) == {"BatchGetItem": 1}
    library.all.add(OWNER, talk, [new_item(f"item {number}") for number in (300, 301)])
    assert library.used(lambda: shown(302)) == {"BatchGetItem": 1, "Query": 1}


def test_deleting_an_item_counts_on_the_head_before_and_after(library: Library, talk: str) -> None:
    """Two look-ups of its place, and the batch is written anew between the two."""
    assert library.used(lambda: library.all.items.delete(OWNER, talk, item_id("item 150"))) == {
        "BatchGetItem": 1,
        "Query": 1,
        "GetItem": 1,
        "UpdateItem": 2,
        "PutItem": 1,
    }


def test_accepting_reads_a_thread_only_if_it_may_not_fit(library: Library, talk: str) -> None:
    """The sum beside the tip says so, at the most; the walk ends where the window does."""
    window = [2_500, 80]
    fit = Fit(
        recall=library.all.recall,
        measure=Measure(
            window=lambda _: Window(tokens=window[0], answer=0), at_most=lambda _: 0, count=lambda _: 0
        ),
        expand=EXPAND,
    )
    head = library.asked("hello", response_id=ONE, conversation=talk)
    record = library.stores.responses.record(ONE)
    assert record
    request = record.request
    assert request

    assert library.used(lambda: fit(head, request)) == {}
    window.pop(0)
    with pytest.raises(InvalidRequest, match="does not fit"):
        library.used(lambda: fit(head, request))
    assert library.calls == {"Query": 1}


def test_a_key_costs_a_look_and_then_all_is_written_at_once(library: Library, talk: str) -> None:
    """Without one nothing has changed; and whoever comes again reads head and description."""
    plain, keyed = Attempt(digest=b"this"), Attempt(digest=b"this", key="k1")
    items = [new_item("one"), new_item("two")]

    def create(of: Attempt) -> None:
        library.all.make_once.create(OWNER, of, items=items)

    def empty(of: Attempt) -> None:
        library.all.make_once.create(OWNER, of)

    def fork(of: Attempt) -> None:
        library.all.make_once.fork(OWNER, talk, of)

    def edit(of: Attempt) -> None:
        library.all.make_once.edit(OWNER, talk, of, item_id("item 150"), new_item("else"))

    look, write = {"GetItem": 1}, {"TransactWriteItems": 1}
    assert library.used(lambda: create(plain)) == {"BatchWriteItem": 2, "PutItem": 1}
    assert library.used(lambda: create(keyed)) == look | write
    assert library.used(lambda: create(keyed)) == look | {"BatchGetItem": 1}
    keyed = Attempt(digest=b"this", key="k2")
    assert library.used(lambda: empty(plain)) == {"BatchWriteItem": 1}
    assert library.used(lambda: empty(keyed)) == look | write
    keyed = Attempt(digest=b"this", key="k3")
    assert library.used(lambda: fork(plain)) == {"BatchGetItem": 2, "Query": 1, "BatchWriteItem": 1}
    assert library.used(lambda: fork(keyed)) == {"BatchGetItem": 2, "Query": 1} | look | write
    keyed = Attempt(digest=b"this", key="k4")
    found = {"BatchGetItem": 2, "Query": 1, "GetItem": 1}
    assert library.used(lambda: edit(plain)) == found | {"BatchWriteItem": 2, "PutItem": 1}
    assert library.used(lambda: edit(keyed)) == found | {"GetItem": 2} | write
    assert library.used(lambda: edit(keyed)) == {"GetItem": 2, "BatchGetItem": 1}


def test_only_a_retry_looks_for_what_it_repeats(library: Library, talk: str) -> None:
    """A first call costs what it did; its retry a look at the tip, and at what was added last."""
    said = [new_item("one")]

    def sent(*, again: bool) -> None:
        library.all.add_once(OWNER, talk, said, Attempt(digest=b"this", repeats=again))

    added = {"BatchGetItem": 1, "Query": 1, "BatchWriteItem": 1, "PutItem": 1, "UpdateItem": 1}
    assert library.used(lambda: sent(again=False)) == added
    assert library.used(lambda: sent(again=True)) == {"BatchGetItem": 1, "Query": 2}
    said = [new_item("other")]
    assert library.used(lambda: sent(again=True)) == added | {"Query": 3}
