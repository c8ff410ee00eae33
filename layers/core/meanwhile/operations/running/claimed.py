"""A response in the hands of one worker, and what its claim allows.

The rules kept here: read the whole log, then fence, and only then ask a model; after the fence a foreign
batch means that the claim is lost; nothing is written after the last confirmed end of the lease.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.continuation import Step, given_up, resumption
from meanwhile.domain.errors import ClaimLost, Gone, LogCorrupt, SlotTaken, Unavailable
from meanwhile.domain.facts import Fact, Started
from meanwhile.domain.ids import new_nonce
from meanwhile.domain.log import Tip, facts_of, tip_of
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head, Lease
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.overdue import interrupted
from meanwhile.storage.stores import Stores

logger = logging.getLogger(__name__)

_FENCE_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Takes responses for one worker at a time."""

    stores: Stores
    ending: Ending
    now: Callable[[], float]
    lease_seconds: float
    continues: Callable[[str], bool]
    """Whether a model, by its id, goes on from a beginning that it is given."""

    def __call__(self, response_id: str, *, alone: bool) -> "Claimed":
        """Take a response, if nobody holds it.

        Raises:
            ClaimRefused: This delivery is not ours to run; the subclass says why.
        """
        now = self.now()
        lease = self.stores.leases.claim(
            response_id, now=now, until=now + self.lease_seconds, nonce=new_nonce(), alone=alone
        )
        logger.info(
            "response claimed",
            extra={"response_id": response_id, "epoch": lease.epoch, "attempts": lease.attempts},
        )
        return Claimed(self, response_id, lease, claimed_at=now)


class Claimed:
    """One claim on one response. `renew` may be called from another thread than the rest."""

    def __init__(self, claim: Claim, response_id: str, lease: Lease, *, claimed_at: float) -> None:
        self.response_id = response_id
        self.claimed_at = claimed_at
        self.lease = lease
        self._stores = claim.stores
        self._ending = claim.ending
        self._now = claim.now
        self._lease_seconds = claim.lease_seconds
        self._continues = claim.continues
        self._tip = Tip()
        self.head: Head | None = None
        """`None` until it was opened."""
        self.request: Request | None = None
        self.is_fenced = False
        """Whether the log is ours, and a model may have been asked."""
        self.answer = Answer(response_id, background=False)

    def open(self) -> Answer:
        """Read everything, fence the log for this claim, and return the answer so far.

        An answer that has ended is mended on the way, and no fence is written. The fence carries what
        follows from having read the log: that work has begun, and what becomes of what an earlier claim
        has left half written (`domain/continuation.py`). It may be the end.

        Raises:
            ClaimLost: A newer claim has fenced the log.
            Gone: There is nothing to work on any more.
        """
        nonce = new_nonce()
        for _ in range(_FENCE_TRIES):
            self._read()
            if self.answer.end is not None:
                self.finish()
                return self.answer
            if self._tip.epoch > self.lease.epoch:
                raise ClaimLost(self.response_id)
            facts = self._facts_of_having_read()
            try:
                self._append(facts, nonce)
            except SlotTaken:
                continue  # nothing was asked of a model yet: read on
            self.is_fenced = True
            for fact in facts:
                self.answer.apply(fact)
            if self.answer.end is not None:
                self.finish()
            return self.answer
        raise Unavailable("the log kept moving")

    @property
    def owner(self) -> str:
        """Whose it is; known once it was opened."""
        return self._opened().owner

    def can_continue(self) -> bool:
        """Whether the request's model goes on from a beginning that it is given."""
        return self.request is not None and self._continues(self.request.model)

    def goes_on(self) -> bool:
        """Whether the next claim can take up words that stand there, instead of saying them again."""
        if self.request is None:
            return False
        return resumption(self.answer, self.request, continues=self.can_continue()).step is Step.CONTINUE

    def append(self, facts: Sequence[Fact]) -> None:
        """Write facts behind everything this claim has written; they are already part of `answer`.

        Raises:
            ClaimLost: Somebody else wrote here, or the lease has run out: drop the model call.
        """
        try:
            self._append(facts, new_nonce())
        except SlotTaken as taken:
            raise ClaimLost(self.response_id) from taken

    def finish(self) -> None:
        """Let output and head follow a log that has ended."""
        self._ending.finish(self._opened(), self.answer)

    def has_ended(self) -> bool:
        """Whether somebody has written an end behind what we know of the log."""
        if self.head is None:
            return False
        batches = self._stores.log.read(self.head, after=self._tip.number - 1)
        return any(batch.end for batch in batches)

    def renew(self) -> None:
        """Keep the claim for another lease's length, from now.

        Raises:
            ClaimLost: It is not ours any more.
        """
        until = self._now() + self._lease_seconds
        self.lease = self._stores.leases.renew(self.response_id, epoch=self.lease.epoch, until=until)

    def is_live(self) -> bool:
        """Whether our own last confirmed lease still holds."""
        return self.lease.is_live(self._now())

    def is_watched(self) -> bool:
        """Whether somebody reads along, as of the last heartbeat."""
        return self._now() < self.lease.watched_until

    def give_back(self, *, met_wall: bool = False, delay: float = 0) -> None:
        """Put the response down: anybody may claim it after `delay`, and it does not count as an attempt.

        Raises:
            ClaimLost: It was not ours any more.
        """
        not_before = self._now() + delay if delay else 0
        self._stores.leases.give_back(self.response_id, self.lease, met_wall=met_wall, not_before=not_before)

    def _read(self) -> None:
        found = self._stores.responses.everything(self.response_id)
        if found is None or found.head.is_gone(self._now()):
            raise Gone(self.response_id)
        self.head, self.request = found.head, found.request
        self._tip = tip_of(found.batches)
        self.answer = fold(self.response_id, facts_of(found.batches), background=self.head.background)
        if self.head.has_ended and self.answer.end is None:
            raise LogCorrupt("the head has ended, and the log has not")

    def _facts_of_having_read(self) -> list[Fact]:
        begun = [Started()] if self.answer.background and not self.answer.started else []
        if self.request is None:
            return [*begun, *given_up(self.answer)]
        found = resumption(self.answer, self.request, continues=self.can_continue())
        if found.step is Step.INTERRUPT:
            return [interrupted(at=self._now())]
        return [*begun, *found.given_up]

    def _append(self, facts: Sequence[Fact], nonce: str) -> None:
        if not self.is_live():
            raise ClaimLost(self.response_id)
        batch = self._tip.next(*facts, epoch=self.lease.epoch, nonce=nonce)
        self._stores.log.append(self._opened(), batch)
        self._tip = self._tip.after(batch)

    def _opened(self) -> Head:
        if self.head is None:
            raise RuntimeError("a claim is opened before it is written to")
        return self.head
