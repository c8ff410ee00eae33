"""Accepting what continues a thread: whoever dies or is slow, it runs once, and locks for itself only."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.attempt import Attempt, Taken
from meanwhile.domain.errors import InvalidRequest, Unavailable
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Status
from meanwhile.operations.accepting.accept import Accept
from meanwhile.operations.accepting.accept_once import AcceptOnce
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from tests.support.clock import Clock
from tests.support.faults import Crash
from tests.support.thread_machine import new_item
from tests.support.thread_twin import twin_threads
from tests.support.twin import twin_stores
from tests.unit.operations.scene import DAY, MINUTE, Over, Postbox

KEYED, FIRST = Attempt(digest=b"body", key="key"), Attempt(digest=b"body")
MOMENTS = range(8)
"""Before and after each of: the key, the lock, the response, the message."""
PLAIN_MOMENTS = range(6)
"""The same without a key."""


class Parlour:
    """One conversation, and what accepts responses in it."""

    def __init__(self) -> None:
        self.clock, self.queue = Clock(), Postbox()
        self.stores, self.threads = twin_stores(), twin_threads()
        self.conversation = ""
        self.once = self.wired()
        self.conversation = self.all.conversations.create("ada").id
        self.asked = Request(
            model="m", input=[new_item("hello").content], background=True, conversation=self.conversation
        )

    def wired(
        self, around: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda call: call
    ) -> AcceptOnce:
        """Return what accepts, with something around each of its writes."""

        def over(store: Any, name: str) -> Any:
            return cast("Any", Over(store, **{name: around(getattr(store, name))}))

        stores, threads = self.stores, replace(self.threads, heads=over(self.threads.heads, "lock"))
        responses: Any = Over(
            stores.responses,
            accept=around(stores.responses.accept),
            accept_once=around(stores.responses.accept_once),
        )
        stores = replace(stores, marks=over(stores.marks, "take"), responses=responses)
        join = Join(
            threads=threads,
            responses=stores.responses,
            recall=Recall(threads=threads),
            count=lambda *_: 1,
            now=self.clock,
        )
        self.ending = Ending(stores=stores, now=self.clock, unstored_retention_seconds=600, join=join)
        self.read = Read(stores=stores, ending=self.ending, now=self.clock)
        self.all = Conversing.over(join, self.read, now=self.clock, kept_seconds=30 * DAY)
        accept = Accept(
            stores=stores,
            queue=over(self.queue, "send"),
            now=self.clock,
            retention_seconds=30 * DAY,
            open_seconds=2 * DAY,
            resend_seconds=MINUTE,
            watch_seconds=40,
            resolve=self.all.resolve,
        )
        return AcceptOnce(
            stores=stores,
            accept=accept,
            read=self.read,
            now=self.clock,
            key_seconds=DAY,
            trace_seconds=15 * MINUTE,
            unstored_retention_seconds=10 * MINUTE,
        )

    def at(self, moment: int, do: Callable[[], object]) -> AcceptOnce:
        """Return what accepts, and to which something happens at one moment between its writes."""
        passed = iter(range(100))

        def around(call: Callable[..., Any]) -> Callable[..., Any]:
            def interruptible(*args: Any, **kwargs: Any) -> Any:
                if next(passed) == moment:
                    do()
                answer = call(*args, **kwargs)
                if next(passed) == moment:
                    do()
                return answer

            return interruptible

        return self.wired(around)

    def end(self, taken: Taken) -> None:
        """End a response."""
        self.wired()
        self.ending.decide(taken.head, Ended(status=Status.COMPLETED, at=int(self.clock())))

    def holder(self) -> str | None:
        """Return the response that has the conversation."""
        head = self.threads.heads.head(self.conversation)
        assert head is not None
        return head.lock

    def said(self) -> int:
        """Return how many items are in it."""
        self.wired()
        return len(self.all.items.page("ada", self.conversation, limit=100).items)

    def ids(self) -> set[str]:
        """Return every response there is."""
        found = self.stores.responses.of_owner("ada", behind=None, since=0, page=10)
        return {listed.head.id for listed in found}


def die() -> None:
    """End the process."""
    raise Crash


@pytest.fixture
def parlour() -> Parlour:
    return Parlour()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_keyed_call_that_died_is_completed_under_the_id_that_holds_the_lock(
    parlour: Parlour, moment: int
) -> None:
    """At once: it is its own lock that it finds."""
    with pytest.raises(Crash):
        parlour.at(moment, die)("ada", parlour.asked, KEYED)

    again = parlour.wired()("ada", parlour.asked, KEYED)

    assert parlour.ids() == {again.head.id} == {parlour.holder()}
    parlour.end(again)
    assert parlour.wired()("ada", parlour.asked, KEYED).head.id == again.head.id
    assert (parlour.holder(), parlour.said()) == (None, 1)


@given(deaths=st.lists(st.sampled_from(MOMENTS), max_size=6))
def test_any_number_of_deaths_makes_one_response_that_joins_once(deaths: list[int]) -> None:
    """Retries die as well."""
    parlour = Parlour()

    for moment in deaths:
        try:
            parlour.at(moment, die)("ada", parlour.asked, KEYED)
        except Crash:
            continue
    last = parlour.wired()("ada", parlour.asked, KEYED)

    assert parlour.ids() == {last.head.id} == {parlour.holder()}
    parlour.end(last)
    assert parlour.said() == 1


@pytest.mark.parametrize("then", ["runs", "ended", "ended, and another runs"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_keyed_call_that_was_only_slow_locks_nobody_out(parlour: Parlour, moment: int, then: str) -> None:
    """Its retry has done its work; it gets that response, and the lock stays with whoever runs."""
    done: list[str] = []
    holders: list[str | None] = []

    def meanwhile() -> None:
        taken = parlour.wired()("ada", parlour.asked, KEYED)
        done.append(taken.head.id)
        if then != "runs":
            parlour.end(taken)
        if then == "ended, and another runs":
            parlour.wired()("ada", replace(parlour.asked, input=[]), Attempt(digest=b"other"))
        holders.append(parlour.holder())

    late = parlour.at(moment, meanwhile)("ada", parlour.asked, KEYED)

    assert [late.head.id] == done
    assert parlour.holder() == holders[0]


@pytest.mark.parametrize("moment", PLAIN_MOMENTS)
def test_an_unkeyed_call_that_died_keeps_others_out_for_a_minute_at_the_most(
    parlour: Parlour, moment: int
) -> None:
    """Nobody can tell whether its response will still be written; what was written runs."""
    with pytest.raises(Crash):
        parlour.at(moment, die)("ada", parlour.asked, FIRST)
    other = replace(parlour.asked, input=[])
    written = parlour.ids()

    parlour.clock.advance(61)
    if written:
        with pytest.raises(InvalidRequest, match="A response runs"):
            parlour.wired()("ada", other, Attempt(digest=b"other"))
        assert {parlour.holder()} == written
    else:
        taken = parlour.wired()("ada", other, Attempt(digest=b"other"))
        assert parlour.holder() == taken.head.id


@pytest.mark.parametrize("attempt", [FIRST, KEYED], ids=["plain", "keyed"])
def test_what_could_not_be_stored_holds_nothing(parlour: Parlour, attempt: Attempt) -> None:
    """The conversation is free at once, for its retry and for others."""

    def fail() -> None:
        raise Unavailable("the table did not answer")

    moment = 4 if attempt.key else 2
    with pytest.raises(Unavailable):
        parlour.at(moment, fail)("ada", parlour.asked, attempt)

    assert parlour.holder() is None
    taken = parlour.wired()("ada", parlour.asked, attempt)
    assert parlour.holder() == taken.head.id


def test_a_call_that_fails_leaves_the_lock_to_its_twin_that_runs(parlour: Parlour) -> None:
    """Both lock under one id: a slow call that fails at last would let others in beside the response."""
    sent: list[Taken] = []

    def twin_then_failure() -> None:
        sent.append(parlour.once("ada", parlour.asked, KEYED))
        raise Unavailable("the table is throttled")

    slow = parlour.at(4, twin_then_failure)
    with pytest.raises(Unavailable):
        slow("ada", parlour.asked, KEYED)

    assert parlour.holder() == sent[0].head.id
