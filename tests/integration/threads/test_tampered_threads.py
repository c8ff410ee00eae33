"""Whoever can write to table and bucket can take conversations away, but not change, mix or shorten them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from meanwhile.domain.errors import LogCorrupt, ServiceError
from meanwhile.domain.threads import Entry, Place
from tests.integration.threads.conftest import Library
from tests.support import aws
from tests.support.thread_machine import OWNER, new_item

SAID = [["one", "two"], ["three", "four"], ["five"]]
FIRST, SECOND, THIRD = "items#0000000000", "items#0000000002", "items#0000000004"
Row = dict[str, Any]


class Shelf:
    """Two conversations of one owner's, one of another's, and hands in the table."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.client = aws.client("dynamodb")
        self.mine, self.other = self._made(OWNER), self._made(OWNER)
        self.bobs = self._made("bob")
        branch = library.all.conversations.fork(OWNER, self.mine, at=3, items=[new_item("else")])
        self.branch = branch.id

    def row(self, part: str, thread: str | None = None) -> Row:
        rows = self.library.rows(thread or self.mine)
        return next(row for row in rows if row["part"]["S"] == part)

    def change(self, part: str, thread: str | None = None, **values: Any) -> None:
        self.put({**self.row(part, thread), **values})

    def put(self, row: Row) -> None:
        self.client.put_item(TableName=self.library.table, Item=row)

    def remove(self, part: str) -> None:
        key = {"thread_id": {"S": self.mine}, "part": {"S": part}}
        self.client.delete_item(TableName=self.library.table, Key=key)

    def said(self, part: str, change: Callable[[list[list[Any]]], object]) -> None:
        """Change what stands in the clear of a batch's items."""
        said = json.loads(self.row(part)["entries"]["S"])
        change(said)
        self.change(part, entries={"S": json.dumps(said, separators=(",", ":"))})

    def _made(self, owner: str) -> str:
        first, *more = SAID
        items = [new_item(each) for each in first]
        made = self.library.all.conversations.create(owner, items=items, title="a title", tags=["t"])
        for group in more:
            self.library.all.add(owner, made.id, [new_item(each) for each in group])
        return made.id


@pytest.fixture(params=[40, 200_000], ids=["in the bucket", "in the table"])
def shelf(request: pytest.FixtureRequest, library: Library) -> Shelf:
    library.threads.log._inline_bytes = request.param
    return Shelf(library)


def flipped(sealed: bytes, at: int) -> dict[str, bytes]:
    """Return bytes with one bit changed."""
    at %= len(sealed)
    return {"B": sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]}


TAMPERS: dict[str, Callable[[Shelf], object]] = {
    "proof altered": lambda shelf: shelf.change(
        SECOND, payload=flipped(shelf.row(SECOND)["payload"]["B"], 20)
    ),
    "tokens altered": lambda shelf: shelf.said(SECOND, lambda said: said[0].__setitem__(2, 10**6)),
    "kind altered": lambda shelf: shelf.said(SECOND, lambda said: said[0].__setitem__(1, "reasoning")),
    "id altered": lambda shelf: shelf.said(SECOND, lambda said: said[0].__setitem__(0, "msg_other")),
    "version altered": lambda shelf: shelf.said(SECOND, lambda said: said[0].__setitem__(3, 2)),
    "called deleted": lambda shelf: shelf.said(SECOND, lambda said: said[0].__setitem__(7, 1)),
    "two in a batch swapped": lambda shelf: shelf.said(SECOND, lambda said: said.reverse()),
    "an item removed from a batch": lambda shelf: shelf.said(SECOND, lambda said: said.pop()),
    "nonce altered": lambda shelf: shelf.change(SECOND, nonce={"S": "0" * 16}),
    "revision altered": lambda shelf: shelf.change(SECOND, revision={"N": "1"}),
    "a batch called deleted": lambda shelf: shelf.change(SECOND, deleted={"BOOL": True}),
    "the first batch removed": lambda shelf: shelf.remove(FIRST),
    "a batch in the middle removed": lambda shelf: shelf.remove(SECOND),
    "the newest batch removed": lambda shelf: shelf.remove(THIRD),
    "a batch of the same owner's put there": lambda shelf: shelf.put(
        {**shelf.row(SECOND, shelf.other), "thread_id": {"S": shelf.mine}}
    ),
    "a batch of another owner's put there": lambda shelf: shelf.put(
        {**shelf.row(SECOND, shelf.bobs), "thread_id": {"S": shelf.mine}}
    ),
    "a batch moved": lambda shelf: shelf.put({**shelf.row(FIRST), "part": {"S": SECOND}}),
    "a batch repeated at the tip": lambda shelf: shelf.put(
        {**shelf.row(FIRST), "part": {"S": "items#0000000005"}}
    ),
    "the path bent": lambda shelf: shelf.change("head", path={"S": json.dumps([[shelf.other, 0]])}),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("tamper", TAMPERS)
def test_a_thread_that_was_tampered_with_is_not_read(shelf: Shelf, tamper: str) -> None:
    """What is left of it would be a wrong context, or another's; from whichever end it is read."""
    TAMPERS[tamper](shelf)

    items = shelf.library.all.items
    for newest_first in (True, False):
        with pytest.raises(LogCorrupt):
            items.page(OWNER, shelf.mine, limit=100, newest_first=newest_first)
    assert shelf.library.said(shelf.other) == [each for group in SAID for each in group]


def test_content_in_the_bucket_is_bound_to_its_item(shelf: Shelf) -> None:
    """Whole objects changed for others, or altered."""
    mine, other = shelf.row(SECOND).get("blob"), shelf.row(SECOND, shelf.other).get("blob")
    if mine is None or other is None:
        return
    s3 = aws.client("s3")
    theirs = s3.get_object(Bucket=aws.BUCKET, Key=other["S"])["Body"].read()
    s3.put_object(Bucket=aws.BUCKET, Key=mine["S"], Body=theirs)
    with pytest.raises(LogCorrupt):
        shelf.library.said(shelf.mine)

    s3.put_object(Bucket=aws.BUCKET, Key=mine["S"], Body=b"")
    with pytest.raises(ServiceError):
        shelf.library.said(shelf.mine)

    s3.delete_object(Bucket=aws.BUCKET, Key=mine["S"])
    with pytest.raises(LogCorrupt):
        shelf.library.said(shelf.mine)


def test_what_is_said_about_a_conversation_is_bound_to_it_and_to_its_version(shelf: Shelf) -> None:
    """Title, tags and metadata are content."""
    about = shelf.row("about")
    for wrong in (
        {**shelf.row("about", shelf.other), "thread_id": {"S": shelf.mine}},
        {**about, "version": {"N": "2"}},
        {**about, "created_at": {"N": "1"}},
    ):
        shelf.put(wrong)
        with pytest.raises(LogCorrupt):
            shelf.library.all.conversations.get(OWNER, shelf.mine)


def test_a_branch_is_not_read_without_what_it_shares(shelf: Shelf) -> None:
    """Of a parent that was deleted it does without; one that something was taken out of is refused."""
    assert shelf.library.said(shelf.branch) == ["one", "two", "three", "else"]
    shelf.remove(SECOND)
    with pytest.raises(LogCorrupt):
        shelf.library.said(shelf.branch)

    shelf.library.all.conversations.delete(OWNER, shelf.mine)
    assert shelf.library.said(shelf.branch) == ["else"]


def test_choosing_believes_no_count_of_tokens_that_was_altered(shelf: Shelf) -> None:
    """Readers choose by what stands in the clear: it is proven before it is believed."""
    head, _ = shelf.library.all.conversations.known(OWNER, shelf.mine)
    place = Place(path=head.path, position=head.tip)
    chosen: list[Entry] = shelf.library.all.recall.within(OWNER, place, budget=8)
    assert [entry.tokens for entry in chosen] == [4, 4]

    shelf.said(THIRD, lambda said: said[0].__setitem__(2, 1))
    with pytest.raises(LogCorrupt):
        shelf.library.all.recall.within(OWNER, place, budget=8)


def test_nothing_that_anybody_said_can_be_read_in_the_table(shelf: Shelf) -> None:
    """Items, titles, tags, metadata: all of it is sealed."""
    library = shelf.library
    library.all.conversations.create(
        "eve",
        items=[new_item("a-secret")],
        title="b-secret",
        tags=["c-secret"],
        metadata={"d-secret": "e-secret"},
    )
    stored = [row for row in aws.contents(library.table) if not row["part"]["S"].startswith("id#")]
    text = repr([{name: value for name, value in row.items() if name != "entries"} for row in stored])

    assert "secret" not in text
