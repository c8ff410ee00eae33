"""What is as long, or as many, as a caller may make it: it fits into the table, or is refused before."""

import secrets

import pytest

from meanwhile.domain.threads import NewItem, Place
from meanwhile.operations.threads.resolve import MAX_INPUT
from tests.integration.threads.conftest import Library
from tests.support.thread_machine import OWNER, new_item, text_of

pytestmark = pytest.mark.parametrize("library", [200_000], indirect=True, ids=["in the table"])

LONGEST_ID = "\N{FACE WITH TEARS OF JOY}" * 128


def _named_at_length(library: Library, response_id: str, **about: str) -> None:
    """Ask with as many items as there may be, each under an id as long as it may be; and answer."""
    said = [str(number) for number in range(MAX_INPUT)]
    named = [f"{number:03}{LONGEST_ID[3:]}" for number in range(MAX_INPUT)]
    library.ended(library.asked(*said, response_id=response_id, ids=named, **about))


def test_a_chain_takes_the_longest_ids_that_callers_may_give(library: Library) -> None:
    """What says which items there are lies in one item of the table, or the response would never end."""
    _named_at_length(library, "resp_00000001")
    _named_at_length(library, "resp_00000002", previous_response_id="resp_00000001")
    last = library.asked("the last", response_id="resp_00000003", previous_response_id="resp_00000002")

    record = library.stores.responses.record(last.id)
    assert record
    assert record.request
    entries = library.all.recall.within(OWNER, Place.from_json(record.request.place or {}), 10**6)
    shown = [text_of(each) for each in library.all.recall.open(OWNER, entries)]
    assert shown == [str(number) for number in range(MAX_INPUT)] * 2


def test_more_than_fits_beside_its_own_description_lies_in_the_bucket(library: Library) -> None:
    """Of a batch of very many items the description alone is large; their contents go elsewhere."""
    items = [new_item(f"{number} {'x' * 40}") for number in range(3_000)]

    batch = library.threads.log.append(OWNER, "thr_1", 0, items, "nonce", findable=False)

    assert batch.in_bucket
    [content] = library.threads.log.open(OWNER, batch.entries[-1:])
    assert text_of(content).startswith("2999")


def test_every_item_says_how_large_it_is_without_being_opened(library: Library) -> None:
    """By which the worker bounds what it holds: in the table as in the bucket."""
    photo = {"id": "msg_1", "type": "message", "content": [{"image_url": secrets.token_hex(200_000)}]}
    items = [new_item("short"), NewItem(content=photo, tokens=85)]

    library.threads.log.append(OWNER, "thr_1", 0, items, "nonce", findable=False)

    [batch] = library.threads.log.up(OWNER, "thr_1", start=0, items=2)
    short, long = (entry.size for entry in batch.entries)
    assert short < 400
    assert 200_000 < long < 400_000
