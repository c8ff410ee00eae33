"""The log's rules as far as they can be seen in what was written: every refusal, one by one."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.facts import Delta, Fact, ItemAdded, Started
from meanwhile.domain.log import NOBODY, Batch, Tip, facts_of, tip_of
from meanwhile.domain.response import Ended, Status

END = Ended(status=Status.COMPLETED, at=1)
TIP = Tip(number=3, seq=9, epoch=2)
NEXT = Batch(number=3, epoch=2, first_seq=9, facts=(Delta(0, "a"), Delta(0, "b")), nonce="n")


def place(tip: Tip) -> tuple[int, int, int, Ended | None]:
    """Return where a tip stands, without its hash."""
    return tip.number, tip.seq, tip.epoch, tip.end


def test_an_empty_log_begins_at_batch_0_and_event_2() -> None:
    """Events 0 and 1 follow from the head."""
    assert tip_of([]) == Tip(number=0, seq=2, epoch=NOBODY, end=None)


def test_a_batch_moves_the_tip_by_one_batch_and_its_facts() -> None:
    """Both numbers run without gap or repeat."""
    assert place(TIP.after(NEXT)) == (4, 11, 2, None)


def test_a_fence_without_facts_takes_a_place_and_no_sequence_number() -> None:
    """Readers must not see a gap where a worker only claimed the log."""
    fence = TIP.next(epoch=5, nonce="n")

    assert place(TIP.after(fence)) == (4, 9, 5, None)


def test_an_end_decided_without_a_claim_may_follow_any_fence() -> None:
    """A cancel holds no lease; compare-and-set on the place is all that it needs."""
    cancelled = TIP.next(END, epoch=NOBODY, nonce="n")

    assert place(TIP.after(cancelled)) == (4, 10, 2, END)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(replace(NEXT, number=2), id="a place that is taken"),
        pytest.param(replace(NEXT, number=4), id="a place left out"),
        pytest.param(replace(NEXT, first_seq=8), id="a sequence number twice"),
        pytest.param(replace(NEXT, first_seq=10), id="a sequence number left out"),
        pytest.param(replace(NEXT, epoch=1), id="an older claim behind a newer fence"),
        pytest.param(replace(NEXT, epoch=1, facts=(END,)), id="an older claim's end behind a newer fence"),
        pytest.param(replace(NEXT, epoch=NOBODY), id="text without a claim behind a fence"),
        pytest.param(replace(NEXT, facts=(END, Delta(0, "a"))), id="text behind the end in one batch"),
        pytest.param(replace(NEXT, facts=(END, END)), id="two ends in one batch"),
    ],
)
def test_a_batch_that_breaks_a_rule_is_refused(wrong: Batch) -> None:
    """Whoever reads such a log must stop rather than tell it on."""
    with pytest.raises(LogCorrupt):
        TIP.after(wrong)


def test_nothing_follows_an_end() -> None:
    """Whoever wins the last place decides how the response ended."""
    ended = TIP.after(TIP.next(END, epoch=2, nonce="n"))

    with pytest.raises(LogCorrupt):
        ended.after(ended.next(Delta(0, "late"), epoch=2, nonce="n"))
    with pytest.raises(LogCorrupt):
        ended.after(ended.next(END, epoch=NOBODY, nonce="n"))


@pytest.mark.parametrize("facts", [(), (Started(),), (ItemAdded("message"), Delta(0, "a"))], ids=str)
def test_only_an_end_is_written_by_nobody(facts: tuple[Fact, ...]) -> None:
    """Epoch 0 is no claim: text under it was written by someone who never fenced the log."""
    with pytest.raises(LogCorrupt):
        Tip().after(Tip().next(*facts, epoch=NOBODY, nonce="n"))


GROUPS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=12)


@given(GROUPS, st.booleans())
def test_what_is_written_at_the_tip_is_read_back_in_order(
    groups: list[tuple[int, int]],
    ends: bool,  # noqa: FBT001  # drawn by Hypothesis
) -> None:
    """Reading a log in one go or in two parts leads to the same place."""
    tip, batches, written, epoch = Tip(), list[Batch](), list[Fact](), 1
    for size, newer in groups:
        epoch += newer
        facts: list[Fact] = [Delta(0, str(n)) for n in range(size)]
        batches.append(tip.next(*facts, epoch=epoch, nonce="n"))
        tip, written = tip.after(batches[-1]), written + facts
    if ends:
        batches.append(tip.next(END, epoch=NOBODY, nonce="n"))
        tip, written = tip.after(batches[-1]), [*written, END]

    assert tip_of(batches) == tip
    assert reduce(Tip.after, batches, Tip()) == tip
    assert list(facts_of(batches)) == written
    assert tip.seq == 2 + len(written)
    assert tip.end == (END if ends else None)


def test_an_end_proves_what_stands_before_it() -> None:
    """A batch that is missing, altered or in another's place shows as soon as the end is read."""
    said = [Tip().next(Delta(0, "one"), epoch=1, nonce="a")]
    said.append(tip_of(said).next(Delta(0, "two"), epoch=1, nonce="b"))
    end = tip_of(said).next(END, epoch=1, nonce="c")
    other = replace(said[1], facts=(Delta(0, "owt"),))

    assert tip_of([*said, end]).end == END
    with pytest.raises(LogCorrupt):
        tip_of([said[0], other, end])
