"""Conversations as their owner meets them, over stores in memory."""

from dataclasses import replace
from typing import Any

import pytest

from meanwhile.domain.errors import (
    ConversationNotFound,
    InvalidRequest,
    ItemNotFound,
    RequestError,
    Unavailable,
    VersionConflict,
)
from meanwhile.domain.ids import new_id
from meanwhile.domain.paths import Stretch
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.threads import Place, chain_of
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.conversations import Wanted
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from meanwhile.operations.threads.sweep_threads import SweepThreads
from tests.support.clock import Clock
from tests.support.thread_machine import item_id, new_item, text_of
from tests.support.thread_twin import twin_threads
from tests.support.twin import twin_stores
from tests.unit.operations.scene import Over

DAY = 86_400


class Salon:
    """One place where conversations are held."""

    def __init__(self) -> None:
        self.clock, self.stores, self.threads = Clock(), twin_stores(), twin_threads()
        join = Join(
            threads=self.threads,
            responses=self.stores.responses,
            recall=Recall(threads=self.threads),
            count=lambda _owner, _model, item: len(text_of(item)),
            now=self.clock,
        )
        self.ending = Ending(stores=self.stores, now=self.clock, unstored_retention_seconds=600, join=join)
        self.read = Read(stores=self.stores, ending=self.ending, now=self.clock)
        self.all = Conversing.over(join, self.read, now=self.clock, kept_seconds=30 * DAY)
        self.sweep = SweepThreads(threads=self.threads, now=self.clock)

    def talk(self, *said: str, **about: Any) -> str:
        self.clock.advance(1)
        return self.all.conversations.create("ada", items=[new_item(each) for each in said], **about).id

    def asked(self, *said: str, owner: str = "ada", store: bool = True, **about: Any) -> Head:
        created = int(self.clock())
        head = Head(
            id=new_id("resp"),
            owner=owner,
            created_at=created,
            background=True,
            store=store,
            expires_at=created + 30 * DAY,
        )
        request = Request(model="m", input=[new_item(each).content for each in said], store=store, **about)
        head, request = self.all.resolve(head, request)
        self.stores.responses.accept(head, request)
        return head

    def ended(self, head: Head, status: Status = Status.COMPLETED) -> str:
        self.ending.decide(head, Ended(status=status, at=int(self.clock())))
        return head.id

    def place(self, response_id: str) -> Place:
        record = self.stores.responses.record(response_id)
        assert record
        assert record.request
        return Place.from_json(record.request.place or {})

    def context(self, response_id: str, budget: int = 10**6) -> list[str]:
        """Return what a response's worker finds before it."""
        entries = self.all.recall.within("ada", self.place(response_id), budget)
        return [text_of(each) for each in self.all.recall.open("ada", entries)]

    def said(self, conversation: str) -> list[str]:
        page = self.all.items.page("ada", conversation, limit=100, newest_first=False)
        return [text_of(item.content) for item in page.items]


@pytest.fixture
def salon() -> Salon:
    return Salon()


def refused(error: pytest.ExceptionInfo[RequestError]) -> tuple[str | None, str | None]:
    return getattr(error.value, "narrow_code", None), error.value.param


# ── Conversations ─────────────────────────────────────────────────────────────────────────────────────


def test_a_stranger_is_told_that_there_is_nothing(salon: Salon) -> None:
    """In the same words as of an id that never was, whatever is asked of it."""
    it, them = salon.talk("hello"), salon.all

    for act in (
        lambda: them.conversations.get("bob", it),
        lambda: them.conversations.update("bob", it, lambda about: about),
        lambda: them.conversations.fork("bob", it, at=1),
        lambda: them.conversations.delete("bob", it),
        lambda: them.add("bob", it, [new_item("x")]),
        lambda: them.items.page("bob", it),
        lambda: them.items.get("bob", it, item_id("hello")),
        lambda: them.items.get_many("bob", it, [item_id("hello")]),
        lambda: them.items.edit("bob", it, item_id("hello"), new_item("x")),
        lambda: them.items.delete("bob", it, item_id("hello")),
        lambda: salon.asked(owner="bob", conversation=it),
    ):
        with pytest.raises(ConversationNotFound, match=f"^Conversation with id '{it}' not found.$"):
            act()
    assert salon.said(it) == ["hello"]


def test_the_loser_of_a_race_is_told_which_version_there_is(salon: Salon) -> None:
    """Two tabs change a title: the second has not seen the first, and must not undo it."""
    it = salon.talk(title="one", metadata={"a": "b"})

    won = salon.all.conversations.update("ada", it, lambda about: replace(about, title="two"), version=1)
    with pytest.raises(VersionConflict, match="at version 2, not 1"):
        salon.all.conversations.update("ada", it, lambda about: replace(about, title="three"), version=1)

    assert (won.about.title, won.about.version, won.about.metadata) == ("two", 2, {"a": "b"})
    assert salon.all.conversations.get("ada", it).about.title == "two"


def test_a_change_in_between_is_not_overwritten(salon: Salon) -> None:
    """Also without a version named: what changed between reading and writing wins."""
    it = salon.talk(title="one")

    def slow(about: Any) -> Any:
        salon.all.conversations.update("ada", it, lambda now: replace(now, tags=("new",)))
        return replace(about, title="two")

    with pytest.raises(VersionConflict):
        salon.all.conversations.update("ada", it, slow)
    assert salon.all.conversations.get("ada", it).about.tags == ("new",)


def test_lists_are_by_activity_and_pages_follow_each_other(salon: Salon) -> None:
    """Newest first; what was added to last is at the top."""
    made = [salon.talk() for _ in range(5)]
    salon.clock.advance(1)
    salon.all.add("ada", made[1], [new_item("again")])

    found, cursor = list[str](), None
    while True:
        page = salon.all.conversations.list("ada", cursor=cursor, limit=2)
        found, cursor = found + [row.id for row in page.rows], page.cursor
        if cursor is None:
            break

    assert found == [made[1], made[4], made[3], made[2], made[0]]
    for wrong in ("nonsense", "12-", "-conv_1", f"{'9' * 400}-conv_1", f"1-{'x' * 3_000}"):
        with pytest.raises(InvalidRequest) as error:
            salon.all.conversations.list("ada", cursor=wrong)
        assert error.value.param == "after"


def test_lists_are_filtered_by_tag_metadata_and_date(salon: Salon) -> None:
    """All that was asked for together; and what is passed over does not end the list."""
    work = salon.talk(tags=["work", "a"], metadata={"project": "x", "more": "y"})
    at = salon.clock()
    home = salon.talk(tags=["home"], metadata={"project": "x"})

    def listed(**wanted: Any) -> list[str]:
        return [row.id for row in salon.all.conversations.list("ada", wanted=Wanted(**wanted)).rows]

    assert listed(tag="work") == [work]
    assert listed(metadata={"project": "x"}) == [home, work]
    assert listed(metadata={"project": "x"}, tag="home") == [home]
    assert listed(since=at + 1) == [home]
    assert listed(until=at + 1) == [work]
    assert listed(tag="nothing") == []


def test_time_spans_are_of_whole_milliseconds_as_activity_is(salon: Salon) -> None:
    """Else one between two of them would end before it begins, which DynamoDB refuses."""
    it, (at, them) = salon.talk(), (salon.clock(), salon.all.conversations)
    cursor = f"{round(at * 1000)}-{new_id('conv')}"

    for since, until, found in (
        (at + 0.0001, at + 0.0004, []),
        (at, at + 0.0004, [it]),
        (at - 0.0004, at + 0.0001, [it]),
        (at, at, []),
        (at + 0.001, None, []),
    ):
        assert [row.id for row in them.list("ada", wanted=Wanted(since=since, until=until)).rows] == found
    for wanted in (Wanted(until=at + 0.0004), Wanted(since=at - 0.0004), Wanted(since=at + 0.0004)):
        assert len(them.list("ada", wanted=wanted, cursor=cursor).rows) <= 1


def test_a_delete_is_made_with_its_first_write(salon: Salon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to try again, an SDK would hear of the second try that there is no such conversation."""
    it = salon.talk("hello")

    def away(*_: Any, **__: Any) -> None:
        raise Unavailable("the table is throttled")

    with monkeypatch.context() as patch:
        patch.setattr(salon.threads.burial, "bury", away)
        salon.all.conversations.delete("ada", it)
    salon.sweep(until=salon.clock() + 10)

    with pytest.raises(ConversationNotFound):
        salon.all.conversations.get("ada", it)
    assert all(batch.closed for batch in salon.threads.log.up("ada", it, start=0, items=100))


# ── Items ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edited_item_stands_in_a_branch_and_the_old_one_where_it_was(salon: Salon) -> None:
    """The same id names both, each in its conversation; the versions tell them apart."""
    it = salon.talk("one", "two", "three", title="talk")

    branch, item = salon.all.items.edit("ada", it, item_id("two"), new_item("zwei"), version=1)

    assert (salon.said(it), salon.said(branch.id)) == (["one", "two", "three"], ["one", "zwei"])
    assert (item.entry.id, item.entry.version, item.entry.parent_version) == (item_id("two"), 2, 1)
    assert branch.parent == Stretch(it, 1)
    assert branch.about.title == "talk"
    assert text_of(salon.all.items.get("ada", it, item_id("two")).content) == "two"
    assert text_of(salon.all.items.get("ada", branch.id, item_id("two")).content) == "zwei"
    with pytest.raises(VersionConflict):
        salon.all.items.edit("ada", branch.id, item_id("two"), new_item("deux"), version=1)


def test_a_deleted_item_is_gone_from_every_branch_and_nothing_moves(salon: Salon) -> None:
    """Its position stays, so what others point at is still what they pointed at."""
    it = salon.talk("one", "two", "three")
    branch = salon.all.conversations.fork("ada", it, at=2, items=[new_item("else")])

    salon.all.items.delete("ada", branch.id, item_id("one"))

    assert (salon.said(it), salon.said(branch.id)) == (["two", "three"], ["two", "else"])
    assert salon.all.items.get("ada", it, item_id("three")).entry.position == 2
    for again in (salon.all.items.get, salon.all.items.delete):
        with pytest.raises(ItemNotFound):
            again("ada", it, item_id("one"))


def test_many_are_read_in_the_order_asked_for(salon: Salon) -> None:
    """What is not there is left out; what a branch shares is found in it."""
    it = salon.talk("one", "two", "three")
    branch = salon.all.conversations.fork("ada", it, at=2, items=[new_item("else")])

    found = salon.all.items.get_many(
        "ada", branch.id, [item_id(each) for each in ("else", "three", "one")]
    ).items

    assert [text_of(item.content) for item in found] == ["else", "one"]


def test_a_large_insert_is_cut_into_batches_and_made_once(salon: Salon) -> None:
    """Sent again under the same name it adds nothing, and says the same."""
    it, many = salon.talk(), [new_item(f"item {number}") for number in range(250)]

    first = salon.all.add("ada", it, many, once="import")
    again = salon.all.add("ada", it, many, once="import")

    assert first == again
    assert [item.entry.position for item in first] == list(range(250))
    assert len(salon.threads.log.up("ada", it, start=0, items=1000)) == 3
    assert salon.all.items.page("ada", it, limit=100).has_more
    with pytest.raises(InvalidRequest):
        salon.all.add("ada", it, many[:30], once="import")


def test_an_insert_that_broke_off_is_not_completed_by_another(salon: Salon) -> None:
    """The name says that the items are the same; half of one call and half of another are neither."""
    it, many = salon.talk(), [new_item(f"item {number}") for number in range(150)]
    salon.all.add("ada", it, many[:100], once="import")

    with pytest.raises(InvalidRequest) as error:
        salon.all.add("ada", it, [*many[:99], new_item("other"), *many[100:]], once="import")
    assert refused(error)[0] == "idempotency_key_reused"
    assert len(salon.all.add("ada", it, many, once="import")) == 150

    assert [text_of(item.content) for item in salon.all.items.page("ada", it, limit=2).items] == [
        "item 149",
        "item 148",
    ]


def test_an_insert_that_is_sent_again_says_what_is_there(salon: Salon) -> None:
    """Ids that the service gives are other ones each time; and what was deleted since stays so."""
    it, renamed = salon.talk(), new_item("one")
    renamed = replace(renamed, content={**renamed.content, "id": "msg_other"})
    salon.all.add("ada", it, [new_item("one"), new_item("two")], once="import")
    salon.all.items.delete("ada", it, item_id("two"))

    again = salon.all.add("ada", it, [renamed, new_item("two")], once="import")

    assert [(item.entry.id, item.content["id"]) for item in again] == [(item_id("one"), item_id("one"))]


# ── Responses in threads ──────────────────────────────────────────────────────────────────────────────


def test_a_conversation_takes_one_response_at_a_time(salon: Salon) -> None:
    """400 and not 409, which SDKs would send again."""
    it = salon.talk("hello")
    running = salon.asked("one", conversation=it)

    for act in (
        lambda: salon.asked("two", conversation=it),
        lambda: salon.all.add("ada", it, [new_item("x")]),
    ):
        with pytest.raises(InvalidRequest) as error:
            act()
        assert refused(error) == ("conversation_locked", "conversation")
    salon.ended(running)
    salon.asked("two", conversation=it)

    assert salon.said(it) == ["hello", "one"]


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_what_failed_or_was_cancelled_adds_nothing_and_holds_nothing(salon: Salon, status: Status) -> None:
    """And nothing can continue it, for it is not there."""
    it = salon.talk("hello")
    failed = salon.ended(salon.asked("one", conversation=it), status)

    assert salon.said(it) == ["hello"]
    assert salon.all.conversations.get("ada", it).running is None
    with pytest.raises(InvalidRequest) as error:
        salon.asked("two", previous_response_id=failed)
    assert refused(error) == ("previous_response_not_usable", "previous_response_id")


def test_an_item_that_is_sent_again_is_another_item(salon: Salon) -> None:
    """Agents send back what they were given, ids and all: two of one name could not be told apart."""
    it = salon.talk("hello")

    salon.ended(salon.asked("hello", conversation=it))

    first, second = salon.all.items.page("ada", it, newest_first=False).items
    assert text_of(first.content) == text_of(second.content)
    assert first.entry.id != second.entry.id


def test_what_is_not_stored_reads_and_adds_nothing(salon: Salon) -> None:
    """It runs in the conversation all the same, and gives it back."""
    it = salon.talk("hello")
    unstored = salon.asked("secret", conversation=it, store=False)

    assert salon.context(unstored.id) == ["hello"]
    salon.ended(unstored)
    assert salon.said(it) == ["hello"]
    assert salon.all.conversations.get("ada", it).running is None


def test_a_lock_whose_response_was_never_accepted_is_taken_over(salon: Salon) -> None:
    """Accepting it died right after the lock; a minute later nobody believes in it any more."""
    it = salon.talk()
    salon.all.lock.take("ada", it, new_id("resp"))

    with pytest.raises(InvalidRequest):
        salon.asked("one", conversation=it)
    salon.clock.advance(61)
    salon.ended(salon.asked("one", conversation=it))

    assert salon.said(it) == ["one"]


def test_an_accept_that_fails_gives_the_conversation_back(salon: Salon) -> None:
    """What could not be stored does not keep others waiting."""
    it = salon.talk()
    head = Head(id=new_id("resp"), owner="ada", created_at=0, background=True, store=True, expires_at=1)
    head, _ = salon.all.resolve(head, Request(model="m", input=[], conversation=it))

    salon.all.resolve.undo(head)

    assert salon.all.conversations.get("ada", it).running is None


def test_a_conversation_that_cannot_be_read_is_not_locked(
    salon: Salon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told to try again would else be told that a response runs, for a minute."""
    it = salon.talk()

    def away(*_: Any, **__: Any) -> None:
        raise Unavailable("the table is throttled")

    with monkeypatch.context() as patch:
        patch.setattr(salon.threads.log, "up", away)
        with pytest.raises(Unavailable):
            salon.asked("one", conversation=it)
    salon.ended(salon.asked("one", conversation=it))

    assert salon.said(it) == ["one"]


def test_a_chain_is_no_conversation(salon: Salon) -> None:
    """Its id can be worked out from a response's; locked, it would never be let go."""
    first = salon.ended(salon.asked("one"))
    salon.asked("two", previous_response_id=first)

    with pytest.raises(ConversationNotFound):
        salon.asked("three", conversation=chain_of(first))


def test_a_response_whose_place_is_not_its_own_is_not_continued(salon: Salon) -> None:
    """What was taken out of the thread is told at once, not by a context with a hole."""
    first = salon.ended(salon.asked("one"))
    second = salon.ended(salon.asked("two", previous_response_id=first))
    salon.threads.log._rows.log(chain_of(first)).pop(1)  # type: ignore[attr-defined]  # a twin's

    with pytest.raises(InvalidRequest) as error:
        salon.asked("three", previous_response_id=second)
    assert refused(error) == ("previous_response_not_found", "previous_response_id")


def test_continuing_the_newest_extends_and_continuing_an_older_one_branches(salon: Salon) -> None:
    """Whichever ends first stands behind the response that both continue; nobody's context changes."""
    first = salon.ended(salon.asked("one"))
    left, right = (salon.asked(each, previous_response_id=first) for each in ("left", "right"))
    salon.ended(right)
    salon.ended(left)

    after_left = salon.ended(salon.asked("l2", previous_response_id=left.id))
    after_right = salon.ended(salon.asked("r2", previous_response_id=right.id))

    assert salon.context(after_left) == ["one", "left"]
    assert salon.context(after_right) == ["one", "right"]
    assert salon.place(after_right).path.thread == chain_of(first)
    assert salon.place(after_left).path.stretches == (
        Stretch(chain_of(first), 0),
        Stretch(chain_of(left.id), 1),
    )


def test_a_response_of_a_conversation_is_continued_beside_it(salon: Salon) -> None:
    """Who does not name the conversation does not write into it, and needs no lock."""
    it = salon.talk("hello")
    inside = salon.ended(salon.asked("one", conversation=it))
    busy = salon.asked("two", conversation=it)

    beside = salon.asked("aside", previous_response_id=inside)
    salon.ended(beside)
    salon.ended(busy)

    assert salon.context(beside.id) == ["hello", "one"]
    assert salon.said(it) == ["hello", "one", "two"]
    assert salon.context(salon.asked(previous_response_id=beside.id).id) == ["hello", "one", "aside"]


def test_nobody_continues_what_is_not_theirs_runs_or_was_never_kept(salon: Salon) -> None:
    """A stranger hears the same as of an id that never was."""
    theirs = salon.ended(salon.asked("one", owner="bob"))
    unstored = salon.ended(salon.asked("one", store=False))
    running = salon.asked("one").id

    for previous in (theirs, unstored, "resp_nothing"):
        with pytest.raises(InvalidRequest) as error:
            salon.asked(previous_response_id=previous)
        assert refused(error) == ("previous_response_not_found", "previous_response_id")
    with pytest.raises(InvalidRequest) as error:
        salon.asked(previous_response_id=running)
    assert refused(error) == ("previous_response_not_usable", "previous_response_id")
    with pytest.raises(InvalidRequest):
        salon.asked(previous_response_id=theirs, conversation=salon.talk())


def test_a_budget_takes_the_newest_without_a_hole(salon: Salon) -> None:
    """The first that does not fit ends it, though an older one would."""
    it = salon.talk("tiny", "a very long line", "small", "short")
    head = salon.asked(conversation=it)

    assert salon.context(head.id, budget=12) == ["small", "short"]
    assert salon.context(head.id, budget=0) == []


def test_a_chain_is_kept_for_as_long_as_somebody_goes_on(salon: Salon) -> None:
    """Thirty days after its newest response, not after its first; then the sweeper removes it."""
    last = salon.ended(salon.asked("day 0"))
    for day in range(1, 6):
        salon.clock.advance(20 * DAY)
        salon.sweep(until=salon.clock() + 10)
        last = salon.ended(salon.asked(f"day {day}", previous_response_id=last))
    chain = salon.place(last).path.thread

    assert salon.context(last) == [f"day {day}" for day in range(5)]
    salon.clock.advance(29 * DAY)
    salon.sweep(until=salon.clock() + 10)
    assert not salon.threads.heads.is_deleted(chain)
    salon.clock.advance(5 * DAY)
    salon.sweep(until=salon.clock() + 10)
    assert salon.threads.heads.is_deleted(chain)
    assert all(batch.closed for batch in salon.threads.log.up("ada", chain, start=0, items=100))


def test_a_response_that_ends_in_a_deleted_conversation_adds_nothing(salon: Salon) -> None:
    """It ends all the same, and nothing comes back to life."""
    it = salon.talk("hello")
    running = salon.asked("one", conversation=it)
    salon.all.conversations.delete("ada", it)

    salon.ended(running)

    assert salon.read("ada", running.id)["status"] == "completed"
    assert all(batch.closed for batch in salon.threads.log.up("ada", it, start=0, items=100))
    with pytest.raises(InvalidRequest):
        salon.asked(previous_response_id=running.id)


def test_a_thread_that_cannot_be_swept_keeps_no_other_waiting(
    salon: Salon, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left for a later sweep, and named."""
    left, done = salon.talk("one"), salon.talk("two")
    for each in (left, done):
        salon.threads.heads.look_at(each, at=salon.clock())
    looked: list[str] = []

    def remove_strays(thread: str, *, now: float) -> None:
        del now
        looked.append(thread)
        if thread == left:
            raise Unavailable("the bucket did not answer")

    burial: Any = Over(salon.threads.burial, remove_strays=remove_strays)
    sweep = SweepThreads(threads=replace(salon.threads, burial=burial), now=salon.clock)
    sweep(until=salon.clock() + 10)

    assert {left, done} <= set(looked)
    assert [vars(each)["thread_id"] for each in caplog.records if "later sweep" in each.message][:1] == [left]
