"""Conversations and chains under every accident: a state machine over the real operations.

The model is lists of lines. A branch shares the lines of what it branched off, so a line that is deleted is
gone from both. Between any two calls of an operation it may die, or others may act; then the model does not
say in which order, but each operation is there whole or not at all, and once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest, ItemNotFound, ResponseNotFound
from meanwhile.domain.facts import Delta, Fact, ItemAdded, ItemDone, PartAdded, PartDone, Started
from meanwhile.domain.ids import derived_id, new_id, new_nonce
from meanwhile.domain.log import facts_of, tip_of
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.threads import NewItem, Place
from meanwhile.operations.responses.delete import Delete
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from meanwhile.operations.threads.sweep_threads import SweepThreads
from meanwhile.storage.stores import Stores, Threads
from tests.support.accidents import Accidents, die
from tests.support.clock import Clock
from tests.support.faults import Crash

OWNER = "ada"
DAY = 86_400
MANY = 4
"""Conversations and responses of one life, about."""
ENDS = [Status.COMPLETED, Status.COMPLETED, Status.INCOMPLETE, Status.FAILED, Status.CANCELLED]


@dataclass
class Line:
    """One item: what it says, and whether it is gone."""

    said: str
    id: str
    gone: bool = False


Group = list[Line]
"""What one operation adds: all of it stands together, or none of it is there."""


@dataclass
class Talk:
    """A conversation as it should be."""

    lines: list[Line]
    pending: list[Group] = field(default_factory=list)
    """What may join it at any moment: an end that was decided, and that nobody has written down yet."""
    deleted: bool = False


@dataclass
class Said:
    """A response as it should be."""

    head: Head
    before: list[Line]
    lines: Group
    talk: str | None
    end: Status | None = None
    told: bool = True
    """Whether somebody has written down how it ended."""
    deleted: bool = False


PICK = st.integers(0, 10**6)
WHEN = st.one_of(st.none(), st.integers(1, 7))
SLIP = st.tuples(WHEN, st.sampled_from(["dies", "dies late", "others act", "asked twice"]), PICK)
"""At which call something happens, and what."""


class ThreadMachine(RuleBasedStateMachine):
    """Subclasses say which stores."""

    def stores(self) -> Stores:
        raise NotImplementedError

    def threads(self) -> Threads:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.accidents = Accidents()
        self.s = self.accidents.over(self.stores())
        self.t = self.accidents.over_threads(self.threads())
        join = Join(
            threads=self.t,
            responses=self.s.responses,
            recall=Recall(threads=self.t),
            count=lambda _owner, _model, item: len(text_of(item)),
            now=self.clock,
        )
        self.ending = Ending(stores=self.s, now=self.clock, unstored_retention_seconds=600, join=join)
        self.read = Read(stores=self.s, ending=self.ending, now=self.clock)
        self.all = Conversing.over(join, self.read, now=self.clock, kept_seconds=30 * DAY)
        forget = Forget(threads=self.t, now=self.clock)
        self.remove = Delete(stores=self.s, read=self.read, now=self.clock, forget=forget)
        self.sweep_them = SweepThreads(threads=self.t, now=self.clock)
        self.talks: dict[str, Talk] = {}
        self.said: dict[str, Said] = {}
        self.number = 0
        self.owned: dict[str, Group] = {}
        """What lies in each conversation itself, not in what it branched off."""
        self.died: dict[str, float] = {}
        """When accepting a response has died in a conversation."""
        self.asking: set[str] = set()
        self.create(2)

    # -- conversations --------------------------------------------------------------------

    @rule(many=st.integers(0, 3))
    def create(self, many: int) -> None:
        if len(self.talks) >= MANY:
            return
        items, lines = self._new(many)
        made = self.all.conversations.create(OWNER, items=items, title="a title", tags=["a"])
        self.talks[made.id], self.owned[made.id] = Talk(lines), [*lines]

    @rule(pick=PICK, many=st.integers(1, 4), once=st.booleans(), slip=SLIP)
    def add(self, pick: int, many: int, once: bool, slip: Any) -> None:  # noqa: FBT001  # drawn by Hypothesis
        """An append that died is made again, and is there once however far it had come.

        By its name, or because nothing has come since.
        """
        conversation = self._talk(pick)
        if conversation is None:
            return
        items, lines = self._new(many)
        name = f"call {self.number}" if once else None
        added = self._try(
            lambda: self.all.add(OWNER, conversation, items, once=name),
            slip,
            may=[(conversation, lines)],
        )
        if added is Crash:
            since = None if once else self.clock() - 900
            added = self._try(lambda: self.all.add(OWNER, conversation, items, once=name, since=since))
        if isinstance(added, list) and not self.talks[conversation].deleted:
            assert [text_of(item.content) for item in added] == [line.said for line in lines if not line.gone]
            self._settle(conversation, must=[lines])
            self._again(conversation, items, name)

    def _again(self, conversation: str, items: Sequence[NewItem], name: str | None) -> None:
        """A call that was answered and comes again, after others, adds nothing."""
        if name is None or len(items) % 2:
            return
        more, lines = self._new(1)
        self.talks[conversation].pending.append(lines)
        self._quietly(lambda: self.all.add(OWNER, conversation, more))
        self._quietly(lambda: self.all.add(OWNER, conversation, items, once=name))

    @rule(pick=PICK, at=PICK, slip=SLIP)
    def edit(self, pick: int, at: int, slip: Any) -> None:
        """The old one stays readable where it was, and what stood behind it, too."""
        conversation, line = self._line(pick, at)
        if conversation is None or line is None or len(self.talks) >= 2 * MANY:
            return
        (new,), (edited,) = self._new(1)
        branched = self._try(lambda: self.all.items.edit(OWNER, conversation, line.id, new), slip)
        if isinstance(branched, tuple):
            branch, item = branched
            assert item.entry.version == (item.entry.parent_version or 0) + 1
            lines, edited.id = self.talks[conversation].lines, line.id
            self.talks[branch.id] = Talk([*lines[: lines.index(line)], edited])
            self.owned[branch.id] = [edited]

    @rule(pick=PICK, at=PICK, slip=SLIP)
    def delete_item(self, pick: int, at: int, slip: Any) -> None:
        """Branches that share it see the gap, too."""
        conversation, line = self._line(pick, at)
        if conversation is None or line is None:
            return
        done = self._try(lambda: self.all.items.delete(OWNER, conversation, line.id), slip)
        if done is Crash:
            done = self._try(lambda: self.all.items.delete(OWNER, conversation, line.id))
        if done is not ConversationNotFound:
            line.gone = True

    @rule(pick=PICK, slip=SLIP)
    def delete_conversation(self, pick: int, slip: Any) -> None:
        conversation = self._talk(pick)
        if conversation is None:
            return
        self._mend_all()
        done = self._try(lambda: self.all.conversations.delete(OWNER, conversation), slip)
        if done is Crash:
            self._try(lambda: self.all.conversations.delete(OWNER, conversation))
            self.sweep_them(until=self.clock() + 10)
        self._gone(conversation)

    # -- responses ------------------------------------------------------------------------

    @rule(pick=PICK, asked=st.integers(0, 2), store=st.booleans(), slip=SLIP)
    def ask_in_conversation(self, pick: int, asked: int, *, store: bool, slip: Any) -> None:
        conversation = self._talk(pick)
        if conversation is not None:
            self._ask(asked, slip, store=store or pick % 2 == 0, conversation=conversation)

    @rule(asked=st.integers(0, 2), slip=SLIP)
    def ask(self, asked: int, slip: Any) -> None:
        self._ask(asked, slip, store=True)

    @rule(pick=PICK, asked=st.integers(0, 2), slip=SLIP)
    def ask_behind(self, pick: int, asked: int, slip: Any) -> None:
        ids = [each for each, said in self.said.items() if not said.deleted]
        if ids:
            self._ask(asked, slip, store=True, previous=ids[pick % len(ids)])

    @rule(pick=PICK, end=st.sampled_from(ENDS), slip=SLIP)
    def end(self, pick: int, end: Status, slip: Any) -> None:
        """It may die between the end of the log and the thread, or between the thread and the head."""
        running = [said for said in self.said.values() if said.end is None]
        if running:
            self._end(running[pick % len(running)], end, slip)

    @rule(pick=PICK, slip=SLIP)
    def delete_response(self, pick: int, slip: Any) -> None:
        """What it has said is gone from all that continues it; a conversation keeps what is its own."""
        ended = [said for said in self.said.values() if said.end and not said.deleted]
        if not ended:
            return
        said = ended[pick % len(ended)]
        self._mend(said)
        if self._try(lambda: self.remove(OWNER, said.head.id), slip) is Crash:
            self._try(lambda: self.remove(OWNER, said.head.id))
        said.deleted = True
        if said.talk is None:
            for line in said.lines:
                line.gone = True

    @rule()
    def mend(self) -> None:
        self._mend_all()

    @rule(seconds=st.sampled_from([1, 61, DAY // 2]))
    def time_passes_and_a_sweep(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.sweep_them(until=self.clock() + 10)

    # -- the rules ------------------------------------------------------------------------

    @invariant()
    def conversations_say_what_was_said(self) -> None:
        for conversation, talk in self.talks.items():
            if talk.deleted:
                assert self._shown(conversation) is ConversationNotFound
            else:
                self._settle(conversation)

    @invariant()
    def one_response_at_a_time_runs_in_a_conversation(self) -> None:
        running = [said.talk for said in self.said.values() if said.talk and said.end is None]
        assert len(running) == len(set(running))

    @invariant()
    def deleted_conversations_are_not_listed(self) -> None:
        listed = {row.id for row in self.all.conversations.list(OWNER, limit=100).rows}
        here = {each for each, talk in self.talks.items() if not talk.deleted}
        assert here <= listed
        assert not listed & (set(self.talks) - here)

    def teardown(self) -> None:
        """Every chain says what was said, in its order; and no conversation stays locked for ever."""
        if not hasattr(self, "talks"):
            return
        self.accidents.clear()
        self._mend_all()
        for said in list(self.said.values()):
            if said.end is None:
                self._end(said, Status.COMPLETED)
        for said in list(self.said.values()):
            if said.end in {Status.COMPLETED, Status.INCOMPLETE} and said.head.store and not said.deleted:
                self._follow(said)
        self.clock.advance(100)
        self.sweep_them(until=self.clock() + 10)
        for conversation in [each for each, talk in self.talks.items() if talk.deleted]:
            left = self.t.log.up(OWNER, conversation, start=0, items=100)
            assert all(batch.closed for batch in left)
        for conversation in [each for each, talk in self.talks.items() if not talk.deleted]:
            items, lines = self._new(1)
            self.talks[conversation].pending.append(lines)
            self.all.add(OWNER, conversation, items)
            self._settle(conversation, must=[lines])

    def _follow(self, said: Said) -> None:
        """Read what somebody reads who continues this response."""
        asked = Request(model="m", input=[], previous_response_id=said.head.id)
        try:
            _, placed = self.all.resolve(self._head(), asked)
        except InvalidRequest:
            assert said.talk
            assert self.talks[said.talk].deleted
            return
        place = Place.from_json(placed.place or {})
        entries = self.all.recall.within(OWNER, place, 10**6)
        shown = [text_of(each) for each in self.all.recall.open(OWNER, entries)]
        assert shown == [line.said for line in self._told_by(said) if not line.gone]

    # -- steps that several rules share ---------------------------------------------------

    def _ask(
        self,
        asked: int,
        slip: Any = None,
        *,
        store: bool,
        conversation: str | None = None,
        previous: str | None = None,
    ) -> None:
        items, lines = self._new(asked)
        head = self._head(store=store)
        request = Request(
            model="m",
            input=[item.content for item in items],
            conversation=conversation,
            previous_response_id=previous,
            store=store,
            background=True,
        )

        def accept() -> Head:
            placed_head, placed = self.all.resolve(head, request)
            self.s.responses.accept(placed_head, placed)
            return placed_head

        asking = self.asking
        self.asking = asking | {conversation} if conversation else asking
        done = self._try(accept, slip)
        self.asking = asking
        if done is Crash and conversation:
            self.died[conversation] = self.clock()
        if self.s.responses.head(head.id) is not None:  # it may be there though accepting it died
            there = self.s.responses.head(head.id) or head
            record = self.s.responses.record(head.id)
            for line, item in zip(
                lines, record.request.input if record and record.request else [], strict=True
            ):
                line.id = item["id"]
            before = self._before(conversation, previous)
            self.said[head.id] = Said(there, before, lines, conversation)
        elif done is InvalidRequest:
            self._only_for_a_reason(conversation, previous)

    def _before(self, conversation: str | None, previous: str | None) -> list[Line]:
        if previous is not None:
            return self._told_by(self.said[previous])
        return list(self.talks[conversation].lines) if conversation else []

    def _told_by(self, said: Said) -> list[Line]:
        """Return what there is up to the end of a response."""
        if said.talk is None:
            return [*said.before, *said.lines]
        if not self.talks[said.talk].deleted:
            self._settle(said.talk)
        lines = self.talks[said.talk].lines
        return lines[: lines.index(said.lines[-1]) + 1] if said.lines[-1] in lines else list(lines)

    def _only_for_a_reason(self, conversation: str | None, previous: str | None) -> None:
        """A conversation is locked while a response runs, or for a minute after accepting one has died."""
        if conversation is not None:
            locked_at = self.died.get(conversation, 0.0)
            assert self._runs_in(conversation) or conversation in self.asking or self.clock() < locked_at + 60
        if previous is not None:
            before = self.said[previous]
            usable = before.end in {Status.COMPLETED, Status.INCOMPLETE} and before.head.store
            in_deleted = before.talk is not None and self.talks[before.talk].deleted
            assert not usable or in_deleted or before.deleted

    def _runs_in(self, conversation: str) -> bool:
        """Whether the log of a response in it has no end: what is about to end still runs for all others."""
        here = [said for said in self.said.values() if said.talk == conversation]
        return any(tip_of(self.s.log.read(said.head)).end is None for said in here)

    def _end(self, said: Said, status: Status, slip: Any = None) -> None:
        answer = f"answer {self._next()}"
        joins = status in {Status.COMPLETED, Status.INCOMPLETE} and said.head.store

        def end() -> Answer:
            batches = self.s.log.read(said.head)
            tip, epoch = tip_of(batches), 0
            facts: list[Fact] = [*_facts(answer)] if status is not Status.CANCELLED else []
            batch = tip.next(
                *facts, Ended(status=status, at=int(self.clock())), epoch=epoch, nonce=new_nonce()
            )
            self.s.log.append(said.head, batch)
            return self._mended(said)

        if joins:
            said.lines = [*said.lines, Line(answer, derived_id("msg", said.head.id, 0))]
            if said.talk is not None and not self.talks[said.talk].deleted:
                self.talks[said.talk].pending.append(said.lines)
        said.end, said.told = status, False
        done = self._try(end, slip)
        if done is Crash and tip_of(self.s.log.read(said.head)).end is None:
            said.end, said.told = None, True
            if joins:
                said.lines = said.lines[:-1]
                if said.talk is not None:
                    self.talks[said.talk].pending = [
                        group for group in self.talks[said.talk].pending if group[-1].said != answer
                    ]
            return
        said.told = done is not Crash
        if said.told and joins and said.talk is not None and not self.talks[said.talk].deleted:
            self._settle(said.talk, must=[said.lines])

    def _mended(self, said: Said) -> Answer:
        answer = fold(said.head.id, facts_of(self.s.log.read(said.head)), background=True)
        self.ending.finish(said.head, answer)
        return answer

    def _mend(self, said: Said) -> None:
        if said.end is None or said.told:
            return
        self.clock.advance(10)
        self._quietly(lambda: self.read(OWNER, said.head.id))  # a reader comes by
        said.told = True
        joins = said.end in {Status.COMPLETED, Status.INCOMPLETE} and said.head.store
        if joins and said.talk is not None and not self.talks[said.talk].deleted:
            self._settle(said.talk, must=[said.lines])

    def _mend_all(self) -> None:
        for said in self.said.values():
            self._mend(said)

    def _try(
        self,
        call: Callable[[], Any],
        slip: Any = None,
        *,
        may: Sequence[tuple[str, Group]] = (),
        others: Callable[[], None] | None = None,
    ) -> Any:
        """Do something, with an accident on the way; return its answer, or the class of what it raised."""
        at, what, pick = slip or (None, "", 0)
        for conversation, group in may:
            self.talks[conversation].pending.append(group)
        if at is not None and what == "asked twice":
            self.accidents.lose_an_answer()
        elif at is not None:
            acts: dict[str, Callable[[], None]] = {"others act": others or (lambda: self._others_act(pick))}
            self.accidents.plan(at, acts.get(what, die), late=what == "dies late")
        try:
            return call()
        except (Crash, ConversationNotFound, InvalidRequest, ItemNotFound, ResponseNotFound) as error:
            return type(error)
        finally:
            self.accidents.clear()

    def _others_act(self, pick: int) -> None:
        """Another process does one whole thing, between two calls of the one that we are looking at."""
        conversation = self._talk(pick)
        running = [said for said in self.said.values() if said.end is None]
        choice = pick % 7
        if choice <= 2 and conversation is not None:
            items, lines = self._new(1)
            self.talks[conversation].pending.append(lines)
            self._quietly(lambda: self.all.add(OWNER, conversation, items))
        elif choice == 3 and running:
            self._end(running[pick % len(running)], Status.COMPLETED)
        elif choice == 4 and conversation is not None:
            self._ask(1, store=True, conversation=conversation)
        elif choice == 5 and conversation is not None:
            self._quietly(lambda: self.all.conversations.delete(OWNER, conversation))
            self._gone(conversation)
        else:
            for said in list(self.said.values()):
                if said.end and not said.told and tip_of(self.s.log.read(said.head)).end:
                    self._mended(said)

    def _quietly(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except (ConversationNotFound, InvalidRequest, ResponseNotFound):
            return

    def _gone(self, conversation: str) -> None:
        """What was its own is gone, from what branched off it, too."""
        talk = self.talks[conversation]
        talk.deleted = True
        for line in [*self.owned[conversation], *(line for group in talk.pending for line in group)]:
            line.gone = True

    def _settle(self, conversation: str, must: Sequence[Group] = ()) -> None:
        """Compare a conversation with the model, and let the model learn in which order things have come."""
        talk, shown = self.talks[conversation], self._shown(conversation)
        assert isinstance(shown, list), shown
        known = [line for line in talk.lines if not line.gone]
        assert shown[: len(known)] == [line.said for line in known]
        rest = shown[len(known) :]
        while rest:
            group = next((g for g in talk.pending if g and g[0].said == rest[0]), None)
            assert group is not None, f"nobody said {rest[0]}"
            assert rest[: len(group)] == [line.said for line in group]
            rest = rest[len(group) :]
            talk.pending.remove(group)
            talk.lines += group
            self.owned[conversation] += group
        for group in must:
            assert all(line in talk.lines for line in group)

    def _shown(self, conversation: str) -> Any:
        """Read a conversation from both ends, a few items at a time."""
        try:
            up, down = (
                self._pages(conversation, newest_first=False),
                self._pages(conversation, newest_first=True),
            )
        except ConversationNotFound:
            return ConversationNotFound
        assert up == down[::-1]
        return up

    def _pages(self, conversation: str, *, newest_first: bool) -> list[str]:
        found: list[str] = []
        after: str | None = None
        while True:
            page = self.all.items.page(OWNER, conversation, after=after, limit=3, newest_first=newest_first)
            found += [text_of(item.content) for item in page.items]
            if not page.has_more:
                return found
            assert len(found) < 1_000, "the pages go round in a circle"
            after = page.items[-1].entry.id

    def _talk(self, pick: int) -> str | None:
        here = [each for each, talk in self.talks.items() if not talk.deleted]
        return here[pick % len(here)] if here else None

    def _line(self, pick: int, at: int) -> tuple[str | None, Line | None]:
        conversation = self._talk(pick)
        lines = [line for line in self.talks[conversation].lines if not line.gone] if conversation else []
        return conversation, lines[at % len(lines)] if lines else None

    def _head(self, *, store: bool = True) -> Head:
        created = int(self.clock())
        return Head(
            id=new_id("resp"),
            owner=OWNER,
            created_at=created,
            background=True,
            store=store,
            expires_at=created + 30 * DAY,
            due_at=created + 60,
        )

    def _new(self, many: int) -> tuple[list[NewItem], Group]:
        said = [f"line {self._next()}" for _ in range(many)]
        lines = [Line(each, item_id(each)) for each in said]
        return [new_item(line.said) for line in lines], lines

    def _next(self) -> int:
        self.number += 1
        return self.number


def new_item(said: str) -> NewItem:
    """Return an item that says this, under an id of its own."""
    content = {
        "id": item_id(said),
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": said}],
    }
    return NewItem(content=content, tokens=len(said))


def item_id(said: str) -> str:
    """Return the id of the item that says this."""
    return f"msg_{said.replace(' ', '_')}"


def text_of(item: Json) -> str:
    """Return what an item says."""
    said: str = item["content"][0]["text"] if item.get("content") else ""
    return said


def _facts(said: str) -> list[Fact]:
    return [
        Started(),
        ItemAdded("message"),
        PartAdded(0, "output_text"),
        Delta(0, said),
        PartDone(0),
        ItemDone(0, Status.COMPLETED),
    ]
