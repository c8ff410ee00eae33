"""The response log: numbered batches of facts, each written by one claim, read as one history.

The rules that can be seen in what was written (the others are kept by those who write):

- batch numbers run from 0, sequence numbers from 2, both without gap or repeat;
- the first batch of a claim's epoch is its **fence**: epochs never go down, and what is written under an
  epoch stands behind that epoch's fence and before any newer one;
- epoch 0 is nobody's claim: only an end decided elsewhere (cancel, sweeper) is written under it;
- a batch with an end is the last, and proves how many batches stand before it and what they say.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.facts import FIRST_FACT_SEQ, Fact, to_compact
from meanwhile.domain.response import Ended

NOBODY = 0
"""The epoch of an end that was decided without a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One write to the log. A fence may carry facts too: those that follow from having read the log."""

    number: int
    epoch: int
    first_seq: int
    facts: tuple[Fact, ...]
    nonce: str
    proof: str | None = None
    """Of a batch with an end: the running hash of all before it, so that a missing or moved one shows."""

    @property
    def end(self) -> Ended | None:
        """The end, if this batch holds it; always its last fact."""
        last = self.facts[-1] if self.facts else None
        return last if isinstance(last, Ended) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """Where a log stands: what the next batch must continue."""

    number: int = 0
    seq: int = FIRST_FACT_SEQ
    epoch: int = NOBODY
    """The newest fence."""
    end: Ended | None = None
    running_hash: str = ""

    def after(self, batch: Batch) -> "Tip":
        """Return the tip once `batch` is in the log.

        Raises:
            LogCorrupt: The batch cannot stand here.
        """
        if self.end is not None:
            raise LogCorrupt("a batch behind the end")
        if batch.number != self.number or batch.first_seq != self.seq:
            raise LogCorrupt(f"batch {batch.number} at event {batch.first_seq} does not continue the log")
        if batch.epoch == NOBODY and not batch.end:
            raise LogCorrupt(f"batch {batch.number} was written without a claim")
        if batch.epoch < self.epoch and batch.epoch != NOBODY:
            raise LogCorrupt(f"batch {batch.number} of an older claim behind a newer fence")
        if any(isinstance(fact, Ended) for fact in batch.facts[:-1]):
            raise LogCorrupt(f"batch {batch.number} goes on behind the end")
        if batch.proof is not None and batch.proof != self.running_hash:
            raise LogCorrupt(f"batch {batch.number} ends another log than this")
        return Tip(
            number=self.number + 1,
            seq=self.seq + len(batch.facts),
            epoch=max(self.epoch, batch.epoch),
            end=batch.end,
            running_hash=self._hash_with(batch),
        )

    def next(self, *facts: Fact, epoch: int, nonce: str) -> Batch:
        """Return the batch that puts `facts` at this tip."""
        ends = bool(facts) and isinstance(facts[-1], Ended)
        return Batch(
            number=self.number,
            epoch=epoch,
            first_seq=self.seq,
            facts=facts,
            nonce=nonce,
            proof=self.running_hash if ends else None,
        )

    def _hash_with(self, batch: Batch) -> str:
        said = [batch.number, batch.epoch, batch.first_seq, batch.nonce, *map(to_compact, batch.facts)]
        return hashlib.sha256(f"{self.running_hash}{json.dumps(said)}".encode()).hexdigest()[:32]


def tip_of(batches: Iterable[Batch]) -> Tip:
    """Read batches in order and return where they lead; refuses whatever breaks a rule of the log."""
    tip = Tip()
    for batch in batches:
        tip = tip.after(batch)
    return tip


def facts_of(batches: Iterable[Batch]) -> Iterator[Fact]:
    """Yield the facts of a whole log in order, fences and all.

    Raises:
        LogCorrupt: A batch is missing, moved, or breaks another rule: what is left would be a wrong answer.
    """
    tip = Tip()
    for batch in batches:
        tip = tip.after(batch)
        yield from batch.facts
