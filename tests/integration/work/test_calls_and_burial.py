"""What the operations cost in calls, and what a deletion leaves in the table and the bucket: nothing."""

from dataclasses import replace
from typing import Any

import pytest

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.wire import result_of
from meanwhile.storage.blobs import Blobs
from tests.integration.work.shop import OWNER, Shop
from tests.support import aws

LONG = "".join(chr(0x4E00 + n) for n in range(3000))
"""More than the table takes inline."""


def ended(shop: Shop, request: Request) -> Head:
    """Accept a request, and end it in the log alone."""
    head = shop.accept(OWNER, request)
    crashed = replace(shop.ending, stores=replace(shop.stores, responses=_NeverEnds(shop.stores.responses)))  # type: ignore[arg-type]
    crashed.decide(head, Ended(status=Status.COMPLETED, at=int(shop.clock())))
    return head


class _NeverEnds:
    """A store whose head never follows: its worker is on its way."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: None) if name == "end" else getattr(self._store, name)


def test_accepting_is_two_calls(shop: Shop, calls: list[str]) -> None:
    """What every caller waits for: one write, one send."""
    shop.ask("model")

    assert calls == ["BatchWriteItem", "SendMessage"]


def test_a_poll_is_two_calls_while_it_runs_and_one_when_it_has_ended(shop: Shop, calls: list[str]) -> None:
    """The cheap way to watch has to be cheap."""
    head = shop.ask("model")
    calls.clear()

    shop.shown(head)
    assert calls == ["BatchGetItem", "Query"]
    shop.cancel(OWNER, head.id)
    calls.clear()
    shop.shown(head)

    assert calls == ["BatchGetItem"]


@pytest.mark.parametrize("instructions", ["short", LONG], ids=["in the table", "in the bucket"])
def test_a_result_that_comes_after_the_deletion_is_not_kept(shop: Shop, instructions: str) -> None:
    """The log had ended, so it could be deleted; the worker writes the result a moment later."""
    head = ended(shop, Request(model="model", input=[], instructions=instructions, background=True))
    answer = shop.read.answer(head)
    assert answer.end is not None
    shop.stores.responses.bury(head, now=shop.clock())

    shop.stores.responses.end(
        shop.ending.ended(head, answer.end), result_of(answer, answer.end) | {"of the user": instructions}
    )

    bare = frozenset({"response_id", "part", "deleted", "expires_at"})
    assert {*map(frozenset, aws.contents(shop.table))} == {bare, bare | {"stood_in", "stood_at"}}
    assert objects(head) == 0


def test_a_deletion_that_stops_half_way_is_finished_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object whose key was forgotten would stay for ever."""
    head = ended(shop, Request(model="model", input=[], instructions=LONG, background=True))
    assert objects(head) == 1

    def away(self: Blobs, key: str) -> None:
        raise Unavailable(f"{self} {key}")

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "delete", away)
        with pytest.raises(Unavailable):
            shop.stores.responses.bury(head, now=shop.clock())
    shop.stores.responses.bury(head, now=shop.clock())

    assert objects(head) == 0


def objects(head: Head) -> int:
    """Return how many objects of a response are in the bucket."""
    found = aws.client("s3").list_objects_v2(Bucket=aws.BUCKET, Prefix=f"responses/{head.id}/")
    count: int = found["KeyCount"]
    return count
