"""The life of one response under every accident: a state machine over the real operations.

Three workers, a canceller, a sweeper and readers act in any order, between any two steps of one another.
A kill drops a worker's claim without a word; an interlude lets others act between a worker's last look at
the clock and its write: that is the worker which was paused beyond its lease, and wakes. A worker's own
clock may stand still while the others' runs on.

The invariants carry the numbers of the rules in `docs/decisions/0002-the-response-log.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.continuation import resumption
from meanwhile.domain.errors import (
    ClaimLost,
    ClaimRefused,
    NotCancellable,
    ResponseNotFound,
    StillRunning,
    Unavailable,
)
from meanwhile.domain.events import events
from meanwhile.domain.facts import FIRST_FACT_SEQ, GivenUp
from meanwhile.domain.log import NOBODY, Batch, facts_of
from meanwhile.domain.model_events import Finished, FinishReason, TextDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.transcript import Transcript
from meanwhile.operations.accepting.accept import Accept
from meanwhile.operations.responses.cancel import Cancel
from meanwhile.operations.responses.delete import Delete
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.overdue import Deadlines
from meanwhile.operations.responses.read import Read
from meanwhile.operations.running.claimed import Claim, Claimed
from meanwhile.operations.running.sweep import Sweep
from meanwhile.queue import WorkQueue
from meanwhile.storage.stores import Stores
from tests.support.clock import Clock
from tests.support.faults import Crash, Faults

LEASE, RESEND, RETENTION = 30, 60, 100_000
OWNER = "ada"
ENDS = {Status.COMPLETED, Status.INCOMPLETE, Status.FAILED, Status.CANCELLED}


class Postbox(WorkQueue):
    """Remembers what was sent; deliveries are the machine's own doing, at any time and any number."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, response_id: str, owner: str, *, alone: bool = False, delay: float = 0) -> None:
        del owner, alone, delay
        self.sent.append(response_id)


@dataclass
class Worker:
    """One worker's memory."""

    claimed: Claimed
    epoch: int
    transcript: Transcript | None = None
    read: tuple[str, ...] = ()
    """Nonces of the batches that its fence stands behind."""


WORKERS = st.sampled_from([0, 0, 0, 1, 1, 2])
TURNS = st.lists(WORKERS, min_size=1, max_size=5)


class LogMachine(RuleBasedStateMachine):
    """Subclasses say which stores."""

    def stores(self) -> Stores:
        raise NotImplementedError

    @initialize(
        store=st.booleans(),
        caller=st.sampled_from(["leaves", "waits", "streams"]),
        continues=st.booleans(),
        calm=st.sampled_from([0, 5, 15]),
    )
    def accept(self, store: bool, caller: str, continues: bool, calm: int) -> None:  # noqa: FBT001  # drawn by Hypothesis
        self.continues = continues
        self.calm = calm
        """Rules to go before anything may end: ended lives are short and dull."""
        self.clock = Clock()
        self.faults = Faults()
        self.raw = self.stores()
        self.s = self.faults.over(self.raw)
        self.queue = Postbox()
        ending = Ending(stores=self.s, now=self.clock, unstored_retention_seconds=600)
        self.ending = ending
        self.lag = dict.fromkeys(range(3), 0.0)
        self.read = Read(stores=self.s, ending=ending, now=self.clock)
        self.cancel_it = Cancel(read=self.read, ending=ending, now=self.clock)
        self.delete_it = Delete(stores=self.s, read=self.read, now=self.clock)
        self.sweep_all = Sweep(
            stores=self.s,
            ending=ending,
            queue=self.queue,
            now=self.clock,
            resend_seconds=RESEND,
            deadlines=Deadlines(in_queue=20_000, at_work=10_000, max_attempts=6),
        )
        take = Accept(
            stores=self.s,
            queue=self.queue,
            now=self.clock,
            retention_seconds=RETENTION,
            open_seconds=50_000,
            resend_seconds=RESEND,
            watch_seconds=40,
        )
        request = Request(
            model="simulator",
            input=[],
            store=store,
            background=caller == "leaves",
            stream=caller == "streams",
        )
        self.request = request
        self.head = take(OWNER, request)
        self.workers: dict[int, Worker] = {}
        self.history: tuple[Batch, ...] = ()
        self.final: Head | None = None
        self.deleted = False
        self.not_before = 0.0
        """Until when its provider asked to be left alone, by the clock of the worker that heard it."""

    # -- a worker's life ------------------------------------------------------------------

    @rule(who=WORKERS, alone=st.booleans())
    def deliver(self, who: int, *, alone: bool) -> None:
        """A message arrives, the first or any later time."""
        if who in self.workers:
            return
        try:
            claimed = self._claim_of(who)(self.head.id, alone=alone)
        except ClaimRefused:
            return
        assert self.clock() >= self.not_before or any(batch.end for batch in self._log())
        self.workers[who] = Worker(claimed, claimed.lease.epoch)

    def _claim_of(self, who: int) -> Claim:
        def its_clock() -> float:
            return self.clock() - self.lag[who]

        return Claim(
            stores=self.s,
            ending=self.ending,
            now=its_clock,
            lease_seconds=LEASE,
            continues=lambda _: self.continues,
        )

    @rule(turns=TURNS)
    def go_on(self, turns: list[int]) -> None:
        """Workers do what comes next for each: claim; read and fence; append."""
        for turn, who in enumerate(turns):
            self._step(who, f"{who}{turn}")

    @rule(who=WORKERS, other=WORKERS, turns=TURNS)
    def take_over_from_one_who_does_not_know(self, who: int, other: int, turns: list[int]) -> None:
        """The worker believes in its lease, and nobody else does: only the log can tell it."""
        if who == other:
            return
        self.clock.advance(LEASE + 1)
        self.lag[who] += LEASE + 1
        self.deliver(other, alone=True)
        self.open(other)
        self.go_on(turns)

    def _step(self, who: int, text: str) -> None:
        if who not in self.workers:
            self.deliver(who, alone=True)
        elif self.workers[who].transcript is None:
            self.open(who)
        else:
            self.say(who, text)

    @rule(who=WORKERS, reason=st.sampled_from(FinishReason), dies=st.booleans())
    def finish(self, who: int, reason: FinishReason, *, dies: bool) -> None:
        """The model ends; the worker may die between the log and the head."""
        worker = self.workers.get(who)
        if worker is None or worker.transcript is None or self._is_calm():
            return
        facts = worker.transcript.add(Finished(reason), at=int(self.clock()))
        del self.workers[who]
        self.faults.crash_before_end = dies
        try:
            worker.claimed.append(facts)
            worker.claimed.finish()
        except (ClaimLost, Crash):
            return
        finally:
            self.faults.crash_before_end = False

    @rule(who=WORKERS)
    def heartbeat(self, who: int) -> None:
        worker = self.workers.get(who)
        if worker is None:
            return
        try:
            worker.claimed.renew()
        except ClaimLost:
            del self.workers[who]

    @rule(who=WORKERS)
    def kill(self, who: int) -> None:
        self.workers.pop(who, None)

    @rule(who=WORKERS, wall=st.booleans(), delay=st.sampled_from([0, 0, 100]))
    def put_down(self, who: int, *, wall: bool, delay: int) -> None:
        worker = self.workers.pop(who, None)
        if worker is None:
            return
        try:
            worker.claimed.give_back(met_wall=wall, delay=delay)
        except ClaimLost:
            return
        self.not_before = self.clock() - self.lag[who] + delay if delay else 0.0

    # -- accidents ------------------------------------------------------------------------

    @rule()
    def lose_the_next_acknowledgement(self) -> None:
        self.faults.answer_lost = True

    @rule(who=WORKERS, other=WORKERS, text=st.text(max_size=5), what=st.sampled_from("tocd"))
    def pause_beyond_the_lease_and_wake(self, who: int, other: int, text: str, what: str) -> None:
        """Between its look at the clock and its write, a worker sleeps while others act."""
        if who == other:
            return
        acts: dict[str, Callable[[], None]] = {
            "t": lambda: self.clock.advance(LEASE + 1),
            "o": lambda: self._take_over(other),
            "c": self.cancel,
            "d": lambda: (self.cancel(), self.delete())[0],
        }
        self.faults.interlude = acts[what]
        if who in self.workers and self.workers[who].transcript is None:
            self.open(who)
        else:
            self.say(who, text)
        self.faults.interlude = None

    def _take_over(self, other: int) -> None:
        self.clock.advance(LEASE + 1)
        self.workers.pop(other, None)
        self.deliver(other, alone=True)
        self.open(other)
        self.say(other, "mine")

    @rule(seconds=st.sampled_from([1, 10, LEASE + 1, RESEND, 700, 9_000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    # -- everybody else -------------------------------------------------------------------

    @rule()
    def cancel(self) -> None:
        if self._is_calm():
            return
        try:
            answer = self.cancel_it(OWNER, self.head.id)
        except (NotCancellable, ResponseNotFound, Unavailable):
            return
        assert (answer["status"], answer["output"], answer["error"]) == ("cancelled", [], None)

    @rule()
    def cancel_and_die_before_the_head(self) -> None:
        self.faults.crash_before_end = True
        try:
            self.cancel()
        except Crash:
            return
        finally:
            self.faults.crash_before_end = False

    @rule()
    def sweep(self) -> None:
        self.sweep_all(until=self.clock() + 10)

    @rule()
    def delete(self) -> None:
        try:
            self.delete_it(OWNER, self.head.id)
        except (ResponseNotFound, StillRunning):
            return
        self.deleted = True

    @rule()
    def look(self) -> None:
        """A reader folds the log, and mends a head that did not follow."""
        try:
            seen = self.read(OWNER, self.head.id)
        except ResponseNotFound:
            assert self._is_gone()
            return
        assert not self._is_gone()
        assert seen["status"] in {*ENDS, "in_progress", "queued"}

    # -- the rules ------------------------------------------------------------------------

    def _is_calm(self) -> bool:
        self.calm -= 1
        return self.calm >= 0

    def _log(self) -> list[Batch]:
        return self.raw.log.read(self.head)

    def _is_gone(self) -> bool:
        record = self.raw.responses.record(self.head.id)
        return record is None or record.head.is_gone(self.clock())

    @invariant()
    def history_never_changes(self) -> None:
        """1: an append is compare-and-set on position; what was read once is read for ever."""
        record = self.raw.responses.record(self.head.id)
        assert record is not None
        if record.head.deleted:
            return
        log = tuple(self._log())
        assert log[: len(self.history)] == self.history
        self.history = log

    @invariant()
    def no_batch_of_an_older_claim_behind_a_newer_fence(self) -> None:
        """2: from its fence on the log belongs to one claim."""
        newest = NOBODY
        for batch in self.history:
            if batch.epoch == NOBODY:
                assert batch.end
                continue
            assert batch.epoch >= newest
            newest = batch.epoch

    @invariant()
    def every_claim_continues_exactly_what_it_has_read(self) -> None:
        """2: what stands before a fence is what its worker had read when it asked the model."""
        nonces = tuple(batch.nonce for batch in self.history)
        for worker in self.workers.values():
            fences = [n for n, b in enumerate(self.history) if b.epoch == worker.claimed.lease.epoch]
            if worker.transcript is not None and fences and not self.deleted:
                assert nonces[: fences[0]] == worker.read

    @invariant()
    def one_end_and_nothing_behind_it(self) -> None:
        """3: a batch with an end is the last, and the end is its last fact."""
        facts = list(facts_of(self.history))
        assert [fact for fact in facts[:-1] if isinstance(fact, Ended)] == []

    @invariant()
    def the_head_follows_the_log(self) -> None:
        """3: a head that has ended says what the log says, and never changes again."""
        record = self.raw.responses.record(self.head.id)
        assert record is not None
        if record.head.deleted or not record.head.has_ended:
            assert record.head.deleted or self.final is None
            return
        end = self.history[-1].end if self.history else None
        assert end is not None
        assert record.head.status is end.status
        assert record.result is not None
        assert self.final in (None, record.head)
        self.final = record.head

    @invariant()
    def sequence_numbers_have_no_gap_and_no_repeat(self) -> None:
        """4: batches number from 0, events from 0 with the two that the head implies."""
        assert [batch.number for batch in self.history] == list(range(len(self.history)))
        seq = FIRST_FACT_SEQ
        for batch in self.history:
            assert batch.first_seq == seq
            seq += len(batch.facts)

    def live_and_replay_take_the_same_path(self) -> None:
        """5: a fold of all facts equals what readers of the stored result get, and streams without a gap."""
        stream = list(events(self.head, self.request, facts_of(self.history)))
        assert [event["sequence_number"] for event in stream] == list(range(len(stream)))
        answer = fold(self.head.id, facts_of(self.history), background=self.head.background)
        record = self.raw.responses.record(self.head.id)
        if record and record.result and not record.head.deleted:
            assert record.result["output"] == answer.output()

    @invariant()
    def words_are_only_taken_back_where_they_must_be(self) -> None:
        """0012: not from a model that continues, and never from a foreground stream."""
        answer = Answer(self.head.id, self.head.background)
        for fact in facts_of(self.history):
            if isinstance(fact, GivenUp) and any(part.text.strip() for part in answer.items[fact.item].parts):
                assert not self.continues
                assert self.head.background or not self.request.stream
            answer.apply(fact)

    @invariant()
    def at_most_one_worker_may_write(self) -> None:
        """6: of all that believe in their lease, one holds the newest epoch and so can keep it."""
        lease = self.raw.leases.read(self.head.id)
        holders = [w for w in self.workers.values() if lease and w.claimed.lease.epoch == lease.epoch]
        assert len(holders) <= 1

    @invariant()
    def deleted_stays_deleted(self) -> None:
        """8: nothing comes back to life."""
        record = self.raw.responses.record(self.head.id)
        if record is None or not (self.deleted or record.head.deleted):
            return
        assert record.head.deleted
        assert record.request is None
        assert record.result is None
        assert self._log() == []

    def teardown(self) -> None:
        """From everywhere an end is in reach: let time pass, sweep, deliver what was sent."""
        if not hasattr(self, "s"):
            return
        self.live_and_replay_take_the_same_path()
        self.faults.answer_lost = False
        self.lag = dict.fromkeys(range(3), 0.0)
        self.calm = 0
        self.workers.clear()
        for _ in range(12):
            record = self.raw.responses.record(self.head.id)
            if record is None or record.head.deleted or record.head.has_ended:
                break
            self.clock.advance(3_000)
            self.sweep()
            if self.queue.sent:
                self.queue.sent.clear()
                self.deliver(0, alone=True)
                self.open(0)
                self.finish(0, FinishReason.STOP, dies=False)
        record = self.raw.responses.record(self.head.id)
        assert record is not None
        assert record.head.deleted or record.head.has_ended

    # -- steps that several rules share ---------------------------------------------------

    def open(self, who: int) -> None:
        worker = self.workers.get(who)
        if worker is None or worker.transcript is not None:
            return
        try:
            answer = worker.claimed.open()
        except (ClaimLost, ClaimRefused):
            self.workers.pop(who, None)
            return
        if answer.end is not None:
            self.workers.pop(who, None)
            return
        before = [b.nonce for b in self._log() if b.epoch < worker.claimed.lease.epoch and not b.end]
        found = resumption(answer, self.request, continues=self.continues)
        worker.read, worker.transcript = tuple(before), Transcript(answer, found.message)

    def say(self, who: int, text: str) -> None:
        worker = self.workers.get(who)
        if worker is None or worker.transcript is None:
            return
        facts = worker.transcript.add(TextDelta(text), at=int(self.clock()))
        try:
            worker.claimed.append(facts)
        except ClaimLost:
            self.workers.pop(who, None)
            self._only_for_a_reason(worker)

    def _only_for_a_reason(self, worker: Worker) -> None:
        """2: behind its fence a claim is lost to a newer one, to an end, or to its own clock only."""
        newer = any(batch.epoch > worker.epoch or batch.end for batch in self._log())
        assert newer or self._is_gone() or not worker.claimed.is_live()
