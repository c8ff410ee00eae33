"""Threads on moto, with every AWS call counted, and a process that can die before or after any of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from botocore.client import BaseClient

from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.operations.responses.delete import Delete
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from meanwhile.operations.threads.sweep_threads import SweepThreads
from tests.support import aws
from tests.support.clock import Clock
from tests.support.faults import Crash
from tests.support.thread_machine import DAY, OWNER, new_item, text_of
from tests.support.twin import twin_stores


class Library:
    """Conversations, and responses that run in them; AWS is used for threads only."""

    def __init__(self, inline_bytes: int) -> None:
        self.clock = Clock()
        self.calls: Counter[str] = Counter()
        self.dies_at: int | None = None
        self.dies_late = False
        self.dies_before = ""
        """The name of the first call that the process does not live to make."""
        self.before: dict[str, Callable[[], object]] = {}
        """By the name of a call: what others do before the first one."""
        self.loses = ""
        """The name of the first call whose answer is lost, so that it is sent again."""
        self.table = aws.new_threads_table()
        self.keyring = aws.new_keyring(now=self.clock)
        self.keyring.current(OWNER)
        self.stores = twin_stores()
        self.threads = aws.threads_on(self.table, inline_bytes=inline_bytes, keyring=self.keyring)
        join = Join(
            threads=self.threads,
            responses=self.stores.responses,
            recall=Recall(threads=self.threads),
            count=lambda _owner, _model, item: len(text_of(item)),
            now=self.clock,
        )
        self.ending = Ending(stores=self.stores, now=self.clock, unstored_retention_seconds=600, join=join)
        read = Read(stores=self.stores, ending=self.ending, now=self.clock)
        self.all = Conversing.over(join, read, now=self.clock, kept_seconds=30 * DAY)
        self.delete = Delete(
            stores=self.stores, read=read, now=self.clock, forget=Forget(threads=self.threads, now=self.clock)
        )
        self.sweep_threads = SweepThreads(threads=self.threads, now=self.clock)

    def said(self, conversation: str, *, owner: str = OWNER) -> list[str]:
        """Return what a conversation says."""
        page = self.all.items.page(owner, conversation, limit=100, newest_first=False)
        return [text_of(item.content) for item in page.items]

    def asked(self, *said: str, response_id: str, ids: Sequence[str] = (), **about: Any) -> Head:
        """Accept a response, as its place allows; its items have ids of their own, or these."""
        created = int(self.clock())
        head = Head(
            id=response_id,
            owner=OWNER,
            created_at=created,
            background=True,
            store=True,
            expires_at=created + 30 * DAY,
        )
        items = [new_item(each).content for each in said]
        named = [{**item, "id": name} for item, name in zip(items, ids, strict=False)]
        request = Request(model="m", input=named or items, **about)
        head, request = self.all.resolve(head, request)
        self.stores.responses.accept(head, request)
        return head

    def ended(self, head: Head, status: Status = Status.COMPLETED) -> None:
        """End a response."""
        self.ending.decide(head, Ended(status=status, at=int(self.clock())))

    def sweep(self, seconds: float = 0) -> None:
        """Let time pass, and the sweeper come by."""
        self.clock.advance(seconds)
        self.sweep_threads(until=self.clock() + 10)

    def used(self, call: Callable[[], Any]) -> Counter[str]:
        """Return the AWS calls that something takes."""
        self.calls.clear()
        call()
        return Counter(self.calls)

    def served(self, name: str, serve: Callable[[], Any]) -> Any:
        """Serve an AWS call, unless the process dies of it."""
        self.before.pop(name, lambda: None)()
        self.calls[name] += 1
        if name == self.loses:
            self.loses = ""
            serve()
        if name == self.dies_before:
            self.dies_before = ""
            raise Crash
        if self.dies_at is None or self.calls.total() != self.dies_at:
            return serve()
        if self.dies_late:
            serve()
        raise Crash

    def rows(self, thread: str) -> list[dict[str, Any]]:
        """Return every item of a thread, raw."""
        return [row for row in aws.contents(self.table) if row["thread_id"]["S"] == thread]

    def named(self, thread: str) -> list[str]:
        """Return the names of the objects that a thread's batches name."""
        return sorted(row["blob"]["S"] for row in self.rows(thread) if "blob" in row)

    def objects(self, thread: str) -> list[str]:
        """Return the names of every object of a thread."""
        return [each["Key"] for each in self._listed(thread)]

    def written_at(self, thread: str) -> float:
        """Return when the last object of a thread was written; the bucket has a clock of its own."""
        return max(float(each["LastModified"].timestamp()) for each in self._listed(thread))

    def _listed(self, thread: str) -> list[Any]:
        s3 = aws.client("s3")
        found = s3.list_objects_v2(Bucket=aws.BUCKET, Prefix=f"threads/{thread}/")
        return list(found.get("Contents", []))


@pytest.fixture(scope="package")
def moto() -> Iterator[None]:
    with aws.moto_aws():
        aws.new_bucket()
        yield


@pytest.fixture
def library(moto: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Library:  # noqa: ARG001  # moto first
    """Return an empty library, which puts into the bucket whatever is longer than a few words."""
    made = Library(inline_bytes=getattr(request, "param", 400))
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # the one door of every call
    looking = {"Scan", "ListObjectsV2"}

    def counted(self: Any, name: str, arguments: Any) -> Any:
        if name in looking and made.dies_at is None:
            return call(self, name, arguments)
        return made.served(name, lambda: call(self, name, arguments))

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    return made
