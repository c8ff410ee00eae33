"""A model call that goes on with a message: the same item, no word lost, none repeated."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.facts import Delta, Fact, GivenUp, ItemAdded, PartAdded, Started
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    RefusalDelta,
    TextDelta,
    ToolCallStarted,
)
from meanwhile.domain.response import Ended
from meanwhile.domain.transcript import Transcript
from tests.unit.domain.histories import ID, NOW, STOP

SPACED = st.text("ab \n\t\u2003", max_size=12)


def opened(*texts: str) -> list[Fact]:
    """Return a history that breaks off in a message with these texts."""
    return [Started(), ItemAdded("message"), PartAdded(0, "output_text"), *(Delta(0, text) for text in texts)]


def going_on(before: list[Fact], *said: ModelEvent) -> tuple[list[Fact], Answer]:
    """Return the facts of a call that goes on with the message, and the answer."""
    answer = fold(ID, before, background=True)
    transcript = Transcript(answer, 0)
    return [fact for event in said for fact in transcript.add(event, at=NOW)], answer


def text_of(answer: Answer) -> str:
    """Return all the text."""
    return "".join(part.text for item in answer.items for part in item.parts)


def test_text_goes_behind_what_is_there() -> None:
    """One item, one part, and one `done` for each, with all of it."""
    facts, answer = going_on(opened("Once upon"), TextDelta(" a"), TextDelta(" time."), STOP)

    assert facts[:2] == [Delta(0, " a"), Delta(0, " time.")]
    assert [type(fact).__name__ for fact in facts[2:]] == ["TextDone", "PartDone", "ItemDone", "Ended"]
    (item,) = answer.output()
    assert (item["status"], item["content"][0]["text"]) == ("completed", "Once upon a time.")


@pytest.mark.parametrize("parts", [[], [PartAdded(0, "output_text")]], ids=["no part", "an empty part"])
def test_a_message_that_was_only_announced_is_filled(parts: list[Fact]) -> None:
    """Its readers see text in the item that they know."""
    _, answer = going_on([ItemAdded("message"), *parts], TextDelta("Hello"), STOP)

    (item,) = answer.output()
    assert (item["status"], [part["text"] for part in item["content"]]) == ("completed", ["Hello"])


def test_a_message_that_stays_without_text_is_given_up() -> None:
    """The second call may call a function and say nothing; an empty message would pass for an answer."""
    facts, answer = going_on([ItemAdded("message")], ToolCallStarted(0, "c", "f"), STOP)

    assert GivenUp(0) in facts
    assert [(item["type"], item["status"]) for item in answer.output()] == [
        ("message", "incomplete"),
        ("function_call", "completed"),
    ]


def test_a_refusal_behind_the_text_is_a_part_of_its_own() -> None:
    """As if one call had said both."""
    _, answer = going_on(opened("Well, "), RefusalDelta("no."), STOP)

    (item,) = answer.output()
    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]


def test_an_end_without_a_word_completes_what_is_there() -> None:
    """The crash came between the last word and the end."""
    facts, answer = going_on(opened("All."), STOP)

    assert isinstance(facts[-1], Ended)
    assert (answer.output()[0]["status"], text_of(answer)) == ("completed", "All.")


@pytest.mark.parametrize(
    ("tail", "rest", "text"),
    [
        pytest.param(" ", [" there"], "Hi there", id="kept by the server, said again by the model"),
        pytest.param(" ", ["there"], "Hi there", id="the server has kept it"),
        pytest.param("\n\n", ["\n", "\n", "there"], "Hi\n\nthere", id="again, in pieces"),
        pytest.param("\n\n", ["\nthere"], "Hi\n\nthere", id="half of it again"),
        pytest.param("\n", [" \nthere"], "Hi\n \nthere", id="other white space is new"),
        pytest.param(" ", ["  there"], "Hi  there", id="more of it than there was"),
        pytest.param("", [" there"], "Hi there", id="nothing was stripped"),
        pytest.param(" ", ["x", " y"], "Hi x y", id="only at the seam"),
    ],
)
def test_white_space_at_the_seam_is_written_once(tail: str, rest: list[str], text: str) -> None:
    """Servers strip the end of a beginning, or do not; the model then says it again, or does not."""
    _, answer = going_on(opened(f"Hi{tail}"), *map(TextDelta, rest), STOP)

    assert text_of(answer) == text


@given(st.text(min_size=1, max_size=30) | SPACED, st.data())
@example("a  b", None)
def test_wherever_an_answer_breaks_off_the_rest_makes_it_whole(
    whole: str, data: st.DataObject | None
) -> None:
    """The model says what stands behind the stripped beginning, in pieces of any size."""
    cut = data.draw(st.integers(0, len(whole))) if data else 2
    rest = whole[len(whole[:cut].rstrip()) :]
    pieces = list(rest)
    if data and rest:
        places = sorted(data.draw(st.sets(st.integers(1, len(rest)), max_size=4)))
        pieces = [rest[a:b] for a, b in zip([0, *places], [*places, len(rest)], strict=True)]

    _, answer = going_on(opened(whole[:cut]), *map(TextDelta, pieces), STOP)

    assert text_of(answer) == whole


@given(SPACED, SPACED)
def test_no_word_is_dropped_whatever_the_model_says(before: str, rest: str) -> None:
    """A server that has kept the white space is told nothing of ours: at most white space is dropped."""
    _, answer = going_on(opened(before), *map(TextDelta, rest), Finished(FinishReason.STOP))

    text = text_of(answer)
    assert text.startswith(before)
    assert rest.endswith(text[len(before) :])
    assert rest[: len(rest) - len(text[len(before) :])].isspace() or text == before + rest
