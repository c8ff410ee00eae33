"""The stores over moto: what the table promises to the operations, one promise a test."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from meanwhile.domain.errors import ClaimLost, Gone, LeaseHeld, NotYet, RunsAlone, SlotTaken
from meanwhile.domain.facts import Delta, ItemAdded, Started
from meanwhile.domain.log import Batch
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.storage.stores import Stores
from tests.support import aws

NOW = 1_800_000_000
HEAD = Head(
    id="resp_000a",
    owner="ada",
    created_at=NOW,
    background=True,
    store=True,
    expires_at=NOW + 1000,
    due_at=NOW + 60,
)
REQUEST = Request(model="simulator", input=[{"type": "message", "role": "user", "content": "hi"}])


@pytest.fixture
def table() -> Iterator[str]:
    with aws.moto_aws():
        aws.new_bucket()
        yield aws.new_table()


@pytest.fixture
def stores(table: str) -> Stores:
    stores = aws.stores_on(table)
    stores.responses.accept(HEAD, REQUEST)
    return stores


def claim(stores: Stores, *, nonce: str = "n", now: float = NOW, alone: bool = False) -> int:
    return stores.leases.claim(HEAD.id, now=now, until=now + 30, nonce=nonce, alone=alone).epoch


def test_what_was_accepted_is_read_back_whole(stores: Stores) -> None:
    """Head and request are all that a worker has to go by."""
    record = stores.responses.record(HEAD.id)

    assert record is not None
    assert record.head == HEAD
    assert record.request == REQUEST
    assert record.result is None


def test_one_delivery_claims_and_the_next_is_refused(stores: Stores) -> None:
    """Two workers with the same message must not both ask the model."""
    claim(stores, nonce="first")

    with pytest.raises(LeaseHeld):
        claim(stores, nonce="second")


def test_a_claim_whose_answer_was_lost_is_still_ours(stores: Stores) -> None:
    """The library sends the write again, and the condition then fails on our own nonce."""
    assert claim(stores, nonce="same") == claim(stores, nonce="same") == 1


def test_a_second_attempt_runs_only_alone(stores: Stores) -> None:
    """A response over which a worker died may be poisonous: it must take no neighbour along."""
    claim(stores, nonce="first")

    with pytest.raises(RunsAlone):
        claim(stores, nonce="second", now=NOW + 31)
    assert claim(stores, nonce="second", now=NOW + 31, alone=True) == 2


def test_a_lease_given_back_is_not_an_attempt_and_cannot_be_renewed(stores: Stores) -> None:
    """Putting a response down on purpose is not dying over it."""
    lease = stores.leases.claim(HEAD.id, now=NOW, until=NOW + 30, nonce="a", alone=False)

    stores.leases.give_back(HEAD.id, lease)

    with pytest.raises(ClaimLost):
        stores.leases.renew(HEAD.id, epoch=lease.epoch, until=NOW + 60)
    assert claim(stores, nonce="b") == 2


def test_a_lease_given_back_until_later_is_not_claimed_sooner(stores: Stores) -> None:
    """However often its message is delivered; and nobody holds it meanwhile."""
    lease = stores.leases.claim(HEAD.id, now=NOW, until=NOW + 30, nonce="a", alone=False)

    stores.leases.give_back(HEAD.id, lease, not_before=NOW + 60)

    with pytest.raises(NotYet) as refused:
        claim(stores, nonce="b", now=NOW + 59)
    assert refused.value.not_before == NOW + 60
    with pytest.raises(ClaimLost):
        stores.leases.renew(HEAD.id, epoch=lease.epoch, until=NOW + 90)
    assert claim(stores, nonce="b", now=NOW + 60) == 2


def test_a_lease_that_was_fenced_off_waits_for_nothing(stores: Stores) -> None:
    """Who cancels ends the response: the next claim finds that out, and its message is done with."""
    lease = stores.leases.claim(HEAD.id, now=NOW, until=NOW + 30, nonce="a", alone=False)
    stores.leases.give_back(HEAD.id, lease, not_before=NOW + 60)

    stores.leases.fence_off(HEAD.id)

    assert claim(stores, nonce="b", now=NOW) == 3


def test_a_place_in_the_log_is_taken_once(stores: Stores) -> None:
    """Compare-and-set on position is what decides between two writers."""
    ours = Batch(number=0, epoch=1, first_seq=2, facts=(Started(),), nonce="ours")
    theirs = replace(ours, nonce="theirs")

    stores.log.append(HEAD, ours)
    stores.log.append(HEAD, ours)  # the answer was lost: sent again

    with pytest.raises(SlotTaken):
        stores.log.append(HEAD, theirs)
    assert stores.log.read(HEAD) == [ours]


def test_the_log_is_read_from_any_batch_on(stores: Stores) -> None:
    """A tail goes on behind the batch it knows."""
    fence = Batch(number=0, epoch=1, first_seq=2, facts=(), nonce="a")
    said = Batch(number=1, epoch=1, first_seq=2, facts=(ItemAdded("message"), Delta(0, "é" * 400)), nonce="b")
    for batch in (fence, said):
        stores.log.append(HEAD, batch)

    assert stores.log.read(HEAD) == [fence, said]
    assert stores.log.read(HEAD, after=0) == [said]


def test_the_end_of_the_head_leaves_the_index(stores: Stores) -> None:
    """What has ended must never cost the sweeper a look again."""
    shard = "2"  # 0x000a % 4
    assert stores.responses.due(shard, now=NOW + 60, limit=10) == [HEAD.id]

    stores.responses.end(replace(HEAD, status=Status.COMPLETED, due_at=None), {"output": [], "end": ["e"]})

    assert stores.responses.due(shard, now=NOW + 60, limit=10) == []
    record = stores.responses.record(HEAD.id)
    assert record is not None
    assert record.head.status is Status.COMPLETED


def test_the_first_end_stays(stores: Stores) -> None:
    """A late writer that lost the race must not change what readers were told."""
    stores.responses.end(replace(HEAD, status=Status.CANCELLED, due_at=None), {"output": [1]})

    stores.responses.end(replace(HEAD, status=Status.COMPLETED, due_at=None), {"output": [2]})

    record = stores.responses.record(HEAD.id)
    assert record is not None
    assert (record.head.status, record.result) == (Status.CANCELLED, {"output": [1]})


def test_nothing_comes_back_to_life_after_a_delete(stores: Stores, table: str) -> None:
    """Every write that can come late meets a tombstone, and no content is left."""
    lease = stores.leases.claim(HEAD.id, now=NOW, until=NOW + 30, nonce="a", alone=False)
    end = Ended(status=Status.COMPLETED, at=NOW)
    said = Batch(number=0, epoch=1, first_seq=2, facts=(Delta(0, "secret"), end), nonce="a")
    stores.log.append(HEAD, said)
    stores.responses.end(replace(HEAD, status=Status.COMPLETED, due_at=None), {"output": ["secret"]})

    stores.responses.bury(HEAD, now=NOW)

    with pytest.raises(SlotTaken):
        stores.log.append(HEAD, replace(said, nonce="late"))
    with pytest.raises(ClaimLost):
        stores.leases.renew(HEAD.id, epoch=lease.epoch, until=NOW + 60)
    with pytest.raises(Gone):
        claim(stores, nonce="late", now=NOW + 100, alone=True)
    stores.responses.end(replace(HEAD, status=Status.FAILED, due_at=None), {"output": ["secret"]})
    items = aws.contents(table)
    for item in items:
        more = {"stood_in", "stood_at"} if item["part"]["S"] == "head" else set()
        assert set(item) == {"response_id", "part", "deleted", "expires_at"} | more
    record = stores.responses.record(HEAD.id)
    assert record is not None
    assert record.head.deleted


def test_a_result_that_comes_only_after_a_delete_is_not_kept(table: str) -> None:
    """The log ends first; whoever reads that may delete before the worker has written the result."""
    stores = aws.stores_on(table, inline_bytes=0)
    stores.responses.accept(HEAD, REQUEST)
    stores.responses.bury(HEAD, now=NOW)

    stores.responses.end(replace(HEAD, status=Status.COMPLETED, due_at=None), {"output": ["secret"]})

    left = {"response_id", "part", "deleted", "expires_at", "stood_in", "stood_at"}
    assert all(set(item) <= left for item in aws.contents(table))
    assert aws.client("s3").list_objects_v2(Bucket=aws.BUCKET)["KeyCount"] == 0


def test_a_large_payload_lives_in_the_bucket_and_dies_with_its_response(table: str) -> None:
    """An item holds 400 KB; a request may be larger."""
    stores = aws.stores_on(table, inline_bytes=100)
    request = replace(REQUEST, instructions="".join(chr(0x4E00 + n) for n in range(2000)))
    s3 = aws.client("s3")

    stores.responses.accept(HEAD, request)

    record = stores.responses.record(HEAD.id)
    assert record is not None
    assert record.request is not None
    assert record.request.instructions == request.instructions
    assert s3.list_objects_v2(Bucket=aws.BUCKET)["KeyCount"] == 1
    stores.responses.bury(HEAD, now=NOW)
    assert s3.list_objects_v2(Bucket=aws.BUCKET)["KeyCount"] == 0
