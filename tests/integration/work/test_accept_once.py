"""Accept once over the table: what it costs, who wins a race, and what stands there to be read."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from meanwhile.domain.attempt import Attempt, Trace
from meanwhile.domain.errors import InvalidRequest, OwnerDeleted, Unavailable
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.storage.keyring import Keyring
from tests.integration.work.shop import DAY, OWNER, Shop, meeting
from tests.support import aws

ASKED = Request(model="model", input=[], background=True)
LONG = replace(ASKED, instructions="".join(chr(0x4E00 + n) for n in range(3000)))
DIGEST = hashlib.sha256(b"what was asked").digest()
KEYED = Attempt(digest=DIGEST, key="order-4711")
FIRST, RETRY = Attempt(digest=DIGEST), Attempt(digest=DIGEST, repeats=True)


@pytest.fixture(autouse=True)
def empty_bucket(moto: None) -> Iterator[None]:  # noqa: ARG001  # moto first
    """Leave nothing in the bucket, which is every test's."""
    yield
    aws.new_bucket()


def heads(shop: Shop) -> set[str]:
    """Return the ids of all responses."""
    return {item["response_id"]["S"] for item in aws.contents(shop.table) if item["part"]["S"] == "head"}


def lost(name: str) -> Callable[..., Any]:
    """Return a door to AWS through which the first answer to calls of that name does not come back."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]
    left = [name]

    def door(self: Any, called: str, arguments: Any) -> Any:
        answer = call(self, called, arguments)
        if called in left:
            left.remove(called)
            return call(self, called, arguments)
        return answer

    return door


def test_a_key_is_one_call_more(shop: Shop, calls: list[str]) -> None:
    """Three calls with a key, two without: every caller waits for them."""
    shop.once(OWNER, ASKED, KEYED)
    assert calls == ["PutItem", "TransactWriteItems", "SendMessage"]
    calls.clear()
    shop.once(OWNER, ASKED, FIRST)

    assert calls == ["BatchWriteItem", "SendMessage"]


def test_what_is_asked_again_is_read_in_a_few_calls(shop: Shop, calls: list[str]) -> None:
    """A retry that finds its response writes nothing and sends nothing."""
    shop.once(OWNER, ASKED, KEYED)
    shop.once(OWNER, ASKED, FIRST)
    calls.clear()

    shop.once(OWNER, ASKED, KEYED)
    shop.once(OWNER, ASKED, RETRY)

    assert calls == ["PutItem", "GetItem", "BatchGetItem", "GetItem", "BatchGetItem"]


@pytest.mark.parametrize("asked", [ASKED, LONG], ids=["in the table", "in the bucket"])
def test_eight_calls_at_once_with_one_key_make_one_response(shop: Shop, asked: Request) -> None:
    """All eight get its id, it is queued once, and nothing of the other seven is left."""
    shop.stores.marks.traced(OWNER, DIGEST, now=shop.clock())  # the owner is known
    together = meeting(8)

    def call(_: int) -> Any:
        together()
        return shop.once(OWNER, asked, KEYED)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(call, range(8)))

    assert {each.head.id for each in taken} == heads(shop)
    assert [each.replayed for each in taken].count(False) == 1
    assert shop.waiting() == 1
    assert blobs(taken[0].head) == (asked is LONG)


def blobs(head: Head) -> int:
    """Return how many objects of a response are in the bucket."""
    found = aws.client("s3").list_objects_v2(Bucket=aws.BUCKET, Prefix=f"responses/{head.id}/")
    count: int = found["KeyCount"]
    return count


@pytest.mark.parametrize("asked", [ASKED, LONG], ids=["in the table", "in the bucket"])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_write_that_comes_late_finds_its_place_taken(
    shop: Shop,
    asked: Request,
    *,
    deleted: bool,
) -> None:
    """A slow call wakes when its response was claimed, or deleted: neither lease nor tombstone moves."""
    head = shop.once(OWNER, asked, KEYED).head
    shop.stores.leases.claim(head.id, now=shop.clock(), until=shop.clock() + 30, nonce="n", alone=False)
    if deleted:
        shop.stores.responses.bury(head, now=shop.clock())
    before = sorted(aws.contents(shop.table), key=str)

    assert not shop.stores.responses.accept_once(head, replace(asked, temperature=0.5))

    assert sorted(aws.contents(shop.table), key=str) == before
    assert blobs(head) == (asked is LONG and not deleted)


@pytest.mark.parametrize("name", ["PutItem", "TransactWriteItems"])
def test_a_write_whose_answer_was_lost_is_our_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The library sends it again. Here the table forgets the token, too: still one response, whole."""
    shop.ask("warm")
    monkeypatch.setattr(BaseClient, "_make_api_call", lost(name))

    taken = shop.once(OWNER, LONG, KEYED)

    assert shop.read.record(OWNER, taken.head.id)[1] == LONG


def disturbed(times: int) -> Callable[..., Any]:
    """Return a door to AWS at which other transactions stand in the way of the first ones."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]
    left = [None] * times

    def door(self: Any, name: str, arguments: Any) -> Any:
        if name == "TransactWriteItems" and left:
            left.pop()
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}, {"Code": "None"}]
            said: Any = {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": reasons,
            }
            raise ClientError(said, name)
        return call(self, name, arguments)

    return door


def test_another_transaction_in_the_way_is_waited_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that write the same at once DynamoDB may refuse both; moto never does."""
    monkeypatch.setattr(BaseClient, "_make_api_call", disturbed(2))

    assert not shop.once(OWNER, ASKED, KEYED).replayed


def test_a_transaction_that_is_always_disturbed_can_be_tried_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is told that it may, and the key waits."""
    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", disturbed(100))
        with pytest.raises(Unavailable):
            shop.once(OWNER, ASKED, KEYED)

    assert heads(shop) == set()
    assert not shop.once(OWNER, ASKED, KEYED).replayed


def test_marks_hold_nothing_that_can_be_read_or_guessed(shop: Shop) -> None:
    """No key, no body, no plain hash of either; only a keyed one, which takes the owner's data key."""
    owner = "grace"  # no hex digits could spell it by chance
    shop.once(owner, ASKED, KEYED)
    shop.once(owner, ASKED, FIRST)

    marks = [item for item in aws.contents(shop.table) if item["part"]["S"] == "mark"]
    said = str(marks)
    guesses = [KEYED.key or "", DIGEST.hex(), str(DIGEST), owner]
    guesses += [hashlib.sha256(each.encode()).hexdigest() for each in (KEYED.key or "", DIGEST.hex(), owner)]

    assert len(marks) == 2
    assert [guess for guess in guesses if guess in said] == []
    assert all(float(item["expires_at"]["N"]) <= shop.clock() + DAY for item in marks)


def test_owners_share_no_mark(shop: Shop) -> None:
    """The same key and the same request of two owners have two names, which do not tell that they agree."""
    for owner in (OWNER, "bob"):
        shop.once(owner, ASKED, KEYED)
        shop.once(owner, ASKED, FIRST)

    marks = [item for item in aws.contents(shop.table) if item["part"]["S"] == "mark"]

    assert len({item["response_id"]["S"] for item in marks}) == 4
    assert len({item["asked"]["S"] for item in marks if "asked" in item}) == 2


def test_a_retry_finds_its_response_though_the_key_was_rotated() -> None:
    """New content is sealed under the new key; the names of marks stay."""
    keyring: Keyring = aws.new_keyring()
    stores = aws.stores_on(aws.new_table(), keyring=keyring)
    trace = Trace(digest=DIGEST, expires_at=2_000)
    head = Head(
        id="resp_000a", owner=OWNER, created_at=0, background=True, store=True, expires_at=9, due_at=1
    )
    stores.responses.accept(head, ASKED, trace)

    keyring.rotate(OWNER)

    assert stores.marks.traced(OWNER, DIGEST, now=1_000) == head.id


def test_a_deleted_owners_marks_lead_nowhere(shop: Shop) -> None:
    """Their names cannot be made any more."""
    keyring = shop.stores.marks._keyring
    shop.once(OWNER, ASKED, KEYED)
    keyring.destroy(OWNER)

    with pytest.raises(OwnerDeleted):
        shop.once(OWNER, ASKED, KEYED)


def test_a_key_that_ttl_has_not_reached_is_free_again(shop: Shop) -> None:
    """TTL deletes days late; the promise is a day."""
    made = shop.once(OWNER, ASKED, KEYED).head
    shop.clock.advance(DAY)

    again = shop.once(OWNER, ASKED, KEYED)

    assert again.head.id != made.id
    with pytest.raises(InvalidRequest):
        shop.once(OWNER, ASKED, replace(KEYED, digest=b"another"))
