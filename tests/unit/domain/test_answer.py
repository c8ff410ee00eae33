"""The fold: what the facts amount to, and which facts cannot follow which."""

import pytest

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.facts import (
    Delta,
    Fact,
    GivenUp,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    Started,
    TextDone,
)
from meanwhile.domain.response import Ended, Status
from tests.unit.domain.histories import EVERYTHING, ID, TEXT, logged

HEL_LO = [Delta(0, "Hel"), Delta(0, "lo")]
OPEN: list[Fact] = [Started(), ItemAdded("message"), PartAdded(0, "output_text"), *HEL_LO]


@pytest.mark.parametrize("background", [True, False])
def test_a_response_nobody_took_up_is_queued_only_in_the_background(*, background: bool) -> None:
    """A caller who waits was never told of a queue."""
    status = fold(ID, [], background=background).status

    assert status is (Status.QUEUED if background else Status.IN_PROGRESS)


def test_it_is_in_progress_from_its_start_to_its_end() -> None:
    """The status is the log's, not the head's."""
    assert fold(ID, [Started()], background=True).status is Status.IN_PROGRESS


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.INCOMPLETE, Status.FAILED, Status.CANCELLED])
def test_the_end_says_the_status(status: Status) -> None:
    """However far the text had come."""
    assert fold(ID, [*OPEN, Ended(status=status, at=1)], background=True).status is status


def test_the_text_is_all_deltas_of_an_item_in_order() -> None:
    """Partial text is there whenever somebody looks."""
    (item,) = fold(ID, OPEN, background=True).output()

    assert item["content"] == [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]
    assert item["status"] == "in_progress"


def test_looking_does_not_change_what_is_seen_next() -> None:
    """A live reader looks between any two facts; a replay does not."""
    facts = logged(EVERYTHING)
    looked_at = Answer(ID, background=True)

    for fact in facts:
        looked_at.output()
        looked_at.apply(fact)

    assert looked_at.output() == fold(ID, facts, background=True).output()


def test_what_a_response_left_open_is_incomplete_when_it_ends() -> None:
    """Nothing stays `in_progress` for ever."""
    answer = fold(ID, [*OPEN, Ended(status=Status.FAILED, at=1, code="c", message="m")], background=True)

    assert [item["status"] for item in answer.output()] == ["incomplete"]
    assert answer.output()[0]["content"][0]["text"] == "Hello"


def test_a_cancelled_response_shows_no_output() -> None:
    """As recorded: half an answer that nobody wants is not shown as one."""
    assert fold(ID, [*OPEN, Ended(status=Status.CANCELLED, at=1)], background=True).output() == []


def test_an_item_given_up_is_cleared_and_keeps_its_id() -> None:
    """Readers were told of the item; its words are taken back with it."""
    before = fold(ID, OPEN, background=True).output()[0]

    after = fold(ID, [*OPEN, GivenUp(0)], background=True).output()[0]

    assert after == before | {"content": [], "status": "incomplete"}


def test_item_ids_are_the_same_in_every_replay_and_differ_within_one() -> None:
    """The log does not hold them."""
    one, two = (fold(ID, logged(EVERYTHING), background=True).output() for _ in range(2))

    assert one == two
    assert len({item["id"] for item in one}) == len(one)
    assert [item["id"].partition("_")[0] for item in one] == ["rs", "msg", "fc", "fc"]


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(PartAdded(1, "output_text"), id="a part of no item"),
        pytest.param(PartAdded(-1, "output_text"), id="a part of an item counted from behind"),
        pytest.param(Delta(1, "x"), id="text of no item"),
        pytest.param(ItemDone(1), id="the end of no item"),
        pytest.param(GivenUp(1), id="no item given up"),
        pytest.param(ItemAdded("surprise"), id="an item of no known kind"),
    ],
)
def test_a_fact_about_what_is_not_there_is_refused(fact: Fact) -> None:
    """A log that says so was not written by these rules."""
    with pytest.raises(LogCorrupt):
        fold(ID, [*OPEN, fact], background=True)


@pytest.mark.parametrize("fact", [Delta(0, "x"), TextDone(0), PartDone(0)], ids=str)
def test_text_needs_a_part(fact: Fact) -> None:
    """The SDK fails on content that comes before its part."""
    with pytest.raises(LogCorrupt):
        fold(ID, [Started(), ItemAdded("message"), fact], background=True)


@pytest.mark.parametrize("closing", [ItemDone(0), GivenUp(0)], ids=str)
@pytest.mark.parametrize("fact", [Delta(0, "x"), PartAdded(0, "refusal"), ItemDone(0), GivenUp(0)], ids=str)
def test_a_closed_item_stays_closed(closing: Fact, fact: Fact) -> None:
    """What readers were told is final is final."""
    with pytest.raises(LogCorrupt):
        fold(ID, [*OPEN, closing, fact], background=True)


@pytest.mark.parametrize("fact", [Started(), Delta(0, "x"), Ended(status=Status.FAILED, at=2)], ids=str)
def test_nothing_follows_the_end(fact: Fact) -> None:
    """One place decides how a response ends, once."""
    with pytest.raises(LogCorrupt):
        fold(ID, [*logged(TEXT), fact], background=True)
