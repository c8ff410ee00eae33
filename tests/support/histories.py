"""Histories as the table holds them, and the rules that every one of them must keep."""

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.facts import FIRST_FACT_SEQ, GivenUp
from meanwhile.domain.log import NOBODY, Batch, facts_of
from meanwhile.domain.response import Ended


def broken_rules(history: list[Batch]) -> list[str]:
    """Return what is wrong with a whole history: empty for a good one. Written without the code it checks."""
    broken = []
    facts = list(facts_of(history))
    if [batch.number for batch in history] != list(range(len(history))):
        broken.append("batch numbers have a gap")
    seq, newest = FIRST_FACT_SEQ, NOBODY
    for batch in history:
        if batch.first_seq != seq:
            broken.append(f"batch {batch.number} begins at event {batch.first_seq}, not {seq}")
        seq += len(batch.facts)
        if batch.epoch < newest and not (batch.epoch == NOBODY and batch.end):
            broken.append(f"batch {batch.number} of an older claim stands behind a newer fence")
        newest = max(newest, batch.epoch)
    ends = [place for place, fact in enumerate(facts) if isinstance(fact, Ended)]
    if ends != [len(facts) - 1]:
        broken.append(f"{len(ends)} terminal events, or something behind one")
    return broken


def answer_of(response_id: str, history: list[Batch], *, background: bool = True) -> Answer:
    """Return the answer that a history amounts to."""
    return fold(response_id, facts_of(history), background=background)


def tries_of(history: list[Batch]) -> int:
    """Return how many claims have written to a history, and so how often it was begun."""
    return len({batch.epoch for batch in history if batch.epoch != NOBODY})


def given_up_in(history: list[Batch]) -> int:
    """Return how many items crashes have left half written."""
    return sum(isinstance(fact, GivenUp) for fact in facts_of(history))
