"""Each rule of the log taken out in turn: the state machine must notice, or it proves nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from meanwhile.domain.continuation import Resumption, Step, given_up
from meanwhile.domain.errors import ClaimLost, LogCorrupt, SlotTaken
from meanwhile.domain.facts import Fact
from meanwhile.domain.ids import new_nonce
from meanwhile.domain.log import Tip, tip_of
from meanwhile.domain.response import Head, Lease
from meanwhile.operations.responses import read as read_module
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.running import claimed as claimed_module
from meanwhile.operations.running.claimed import Claimed
from meanwhile.storage.stores import Stores
from tests.support.hunt import hunt
from tests.support.log_machine import LogMachine
from tests.support.twin import TwinLeases, TwinLog, TwinResponses, twin_stores

pytestmark = pytest.mark.exhaustive


class Sabotaged(LogMachine):
    def stores(self) -> Stores:
        return twin_stores()


def append_overwrites(patch: pytest.MonkeyPatch) -> None:
    """Without compare-and-set."""

    def append(self: TwinLog, head: Head, batch: Any) -> None:
        self._rows[head.id].log[batch.number] = batch

    patch.setattr(TwinLog, "append", append)


def nonces_ignored(patch: pytest.MonkeyPatch) -> None:
    """A write whose answer was lost is taken for somebody else's."""

    def append(self: TwinLog, head: Head, batch: Any) -> None:
        if batch.number in self._rows[head.id].log:
            raise SlotTaken
        self._rows[head.id].log[batch.number] = batch

    patch.setattr(TwinLog, "append", append)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """A worker asks its model without having fenced the log."""

    def open_without(self: Claimed) -> Any:
        self._read()
        if self.answer.end is not None:
            self.finish()
        return self.answer

    patch.setattr(Claimed, "open", open_without)


def newer_fences_ignored(patch: pytest.MonkeyPatch) -> None:
    """A worker that reads a newer claim's fence goes on all the same."""
    original = Claimed._read

    def read(self: Claimed) -> None:
        original(self)
        self._tip = replace(self._tip, epoch=min(self._tip.epoch, self.lease.epoch))

    patch.setattr(Claimed, "_read", read)


def foreign_batches_read_over(patch: pytest.MonkeyPatch) -> None:
    """A worker that meets a foreign batch behind its fence writes behind it."""

    def append(self: Claimed, facts: Sequence[Fact]) -> None:
        for _ in range(5):
            try:
                self._append(facts, new_nonce())
            except SlotTaken:
                found = tip_of(self._stores.log.read(self._opened()))
                if found.end:
                    raise ClaimLost from None
                self._tip = Tip(number=found.number, seq=found.seq)
            else:
                return

    patch.setattr(Claimed, "append", append)


def ends_are_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    """A cancel appends its end without asking whether there is one."""
    original = Ending.decide

    def decide(self: Ending, head: Any, end: Any) -> Any:
        batches = self.stores.log.read(head)
        tip = replace(tip_of(batches), end=None)
        if tip.number and batches[-1].end:
            self.stores.log.append(head, tip.next(end, epoch=0, nonce=new_nonce()))
        return original(self, head, end)

    patch.setattr(Ending, "decide", decide)


def heads_are_never_mended(patch: pytest.MonkeyPatch) -> None:
    """Neither readers nor the sweeper nor the next worker follow up on a crash before the head."""
    patch.setattr(read_module, "_MEND_AFTER", 10**9)
    patch.setattr("meanwhile.operations.running.sweep.Sweep._look_at", lambda *_: None)
    patch.setattr(Claimed, "finish", lambda _: None)


def words_are_always_taken_back(patch: pytest.MonkeyPatch) -> None:
    """A claim gives up whatever is open, also what it could go on with, and what a stream has said."""
    patch.setattr(
        claimed_module,
        "resumption",
        lambda answer, *_, **__: Resumption(step=Step.START_OVER, given_up=given_up(answer)),
    )


def claims_share_an_epoch(patch: pytest.MonkeyPatch) -> None:
    """A claim does not end everybody else's."""

    def claim(self: TwinLeases, response_id: str, **asked: Any) -> Lease:
        rows = self._rows[response_id]
        rows.claimant = asked["nonce"]
        held = rows.lease or Lease()
        rows.lease = replace(held, epoch=max(1, held.epoch), until=asked["until"])
        return rows.lease

    patch.setattr(TwinLeases, "claim", claim)


def delays_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Any delivery may claim what was put down because its provider is busy."""
    original = TwinLeases.give_back

    def give_back(self: TwinLeases, *args: Any, met_wall: bool, not_before: float) -> None:
        del not_before
        original(self, *args, met_wall=met_wall)

    patch.setattr(TwinLeases, "give_back", give_back)


def deleted_parts_vanish(patch: pytest.MonkeyPatch) -> None:
    """A delete leaves no tombstones in the log."""
    original = TwinResponses.bury

    def bury(self: TwinResponses, head: Any, *, now: float) -> None:
        original(self, head, now=now)
        self._rows[head.id].log.clear()

    patch.setattr(TwinResponses, "bury", bury)


@pytest.mark.parametrize(
    "sabotage",
    [
        append_overwrites,
        nonces_ignored,
        no_fence,
        newer_fences_ignored,
        foreign_batches_read_over,
        ends_are_not_looked_for,
        heads_are_never_mended,
        words_are_always_taken_back,
        claims_share_an_epoch,
        delays_are_forgotten,
        deleted_parts_vanish,
    ],
    ids=lambda rule: rule.__name__,
)
def test_the_machine_notices_a_missing_rule(
    sabotage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule without which everything still passes is not a rule, or is not checked."""
    sabotage(monkeypatch)

    with pytest.raises((AssertionError, LogCorrupt)):  # a broken invariant, or a log nobody can read
        hunt(Sabotaged, examples=1_500)
