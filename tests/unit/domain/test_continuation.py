"""Continue, start over or interrupt: the table in `domain/continuation.py`, line by line."""

from typing import Any

import pytest

from meanwhile.domain.answer import Answer, fold
from meanwhile.domain.continuation import Beginning, Resumption, Step, resumption
from meanwhile.domain.facts import GivenUp, ItemAdded, PartAdded
from meanwhile.domain.model_events import ModelEvent, ReasoningDelta, RefusalDelta, TextDelta, ToolCallStarted
from meanwhile.domain.request import Request
from tests.unit.domain.histories import CALL, ID, logged

WORDS: list[ModelEvent] = [TextDelta("Once upon ")]
BLANK: list[ModelEvent] = [TextDelta("\n ")]
CALLERS: dict[str, dict[str, Any]] = {
    "in the background": {"background": True},
    "in the background, streamed": {"background": True, "stream": True},
    "waited for": {},
    "streamed": {"stream": True},
}
JSON = {"format": {"type": "json_schema", "name": "n", "schema": {}}}


def asked(**changes: Any) -> Request:
    """Return a request, plain but for the changes."""
    return Request(**{"model": "m", "input": [], **changes})


def left_by(said: list[ModelEvent], request: Request) -> Answer:
    """Return what a call leaves that broke off behind these words."""
    facts = logged(said, background=request.background)
    return fold(ID, facts, background=request.background)


def after(said: list[ModelEvent], *, continues: bool = True, **changes: Any) -> Resumption:
    """Return what becomes of it."""
    request = asked(**changes)
    return resumption(left_by(said, request), request, continues=continues)


@pytest.mark.parametrize("caller", CALLERS)
def test_words_are_gone_on_with_where_the_model_can(caller: str) -> None:
    """Whoever reads, and however: no word is lost, and none comes twice."""
    found = after(WORDS, **CALLERS[caller])

    assert found == Resumption(step=Step.CONTINUE, message=0, beginning=Beginning(text="Once upon "))
    assert found.beginning.words == "Once upon"


@pytest.mark.parametrize(
    ("caller", "step", "given_up"),
    [
        ("in the background", Step.START_OVER, (GivenUp(0),)),
        ("in the background, streamed", Step.START_OVER, (GivenUp(0),)),
        ("waited for", Step.START_OVER, (GivenUp(0),)),
        ("streamed", Step.INTERRUPT, ()),
    ],
)
@pytest.mark.parametrize(
    ("why_not", "changes"),
    [
        ("the model cannot", {"continues": False}),
        ("JSON by a schema", {"text": JSON}),
        ("any JSON", {"text": {"format": {"type": "json_object"}}}),
        ("some call is demanded", {"tool_choice": "required"}),
        ("this call is demanded", {"tool_choice": {"type": "function", "name": "f"}}),
        ("one of these is", {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}}),
    ],
)
def test_words_that_cannot_be_gone_on_with(
    caller: str, step: Step, given_up: tuple[GivenUp, ...], why_not: str, changes: dict[str, Any]
) -> None:
    """Servers begin a grammar anew. Only a stream that has said words has nobody left to tell them again."""
    del why_not

    found = after(WORDS, **changes, **CALLERS[caller])

    assert found == Resumption(step=step, given_up=given_up)


@pytest.mark.parametrize("choice", ["auto", "none", {"type": "allowed_tools", "mode": "auto", "tools": []}])
def test_a_choice_that_leaves_text_possible_is_no_hindrance(choice: Any) -> None:
    """The model may still call a function behind the words."""
    assert after(WORDS, tool_choice=choice).step is Step.CONTINUE


@pytest.mark.parametrize("continues", [True, False], ids=["can go on", "cannot"])
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("text", [{"format": {"type": "text"}}, JSON], ids=["text", "JSON"])
def test_a_message_without_words_is_kept_and_asked_for_afresh(
    caller: str, text: Any, *, continues: bool
) -> None:
    """Its readers know nothing but that there is one; nothing has to be taken back."""
    found = after(BLANK, continues=continues, text=text, **CALLERS[caller])

    assert found == Resumption(step=Step.START_OVER, message=0, beginning=Beginning(text="\n "))
    assert found.beginning.words == ""


@pytest.mark.parametrize("parts", [[], [PartAdded(0, "output_text")]], ids=["no part", "an empty part"])
def test_a_message_that_has_only_been_announced_is_kept(parts: list[PartAdded]) -> None:
    """A crash may come between the announcement and the first word."""
    request = asked(background=True)
    answer = fold(ID, [ItemAdded("message"), *parts], background=True)

    assert resumption(answer, request, continues=False).message == 0


@pytest.mark.parametrize("caller", CALLERS)
def test_an_answer_of_which_nothing_is_open_starts(caller: str) -> None:
    """The first call of every response takes this way, too."""
    assert after([], **CALLERS[caller]) == Resumption(step=Step.START_OVER)


def test_what_is_open_beside_the_message_is_given_up() -> None:
    """Arguments of calls and thoughts are said again from their start; closed thoughts stay."""
    found = after([ReasoningDelta("hm"), *WORDS, ReasoningDelta("well"), *CALL[:2], ReasoningDelta("so")])

    assert (found.step, found.message) == (Step.CONTINUE, 1)
    assert found.given_up == (GivenUp(3), GivenUp(4))


@pytest.mark.parametrize("caller", CALLERS)
def test_calls_and_thoughts_alone_start_over_unseen(caller: str) -> None:
    """No text was said, so even a stream can be told them again."""
    found = after([ReasoningDelta("hm"), ToolCallStarted(0, "c", "f")], **CALLERS[caller])

    assert found == Resumption(step=Step.START_OVER, given_up=(GivenUp(1),))


@pytest.mark.parametrize(("caller", "step"), [("waited for", Step.START_OVER), ("streamed", Step.INTERRUPT)])
@pytest.mark.parametrize("said", [[RefusalDelta("I wo")], [*WORDS, RefusalDelta("I wo")]])
def test_a_refusal_is_not_gone_on_with(said: list[ModelEvent], caller: str, step: Step) -> None:
    """A beginning is given as text, and would be gone on with as text."""
    assert after(said, **CALLERS[caller]).step is step


def test_thoughts_count_that_led_to_the_words_and_no_others() -> None:
    """They were paid for out of the same limit; those of a try that was lost were not."""
    lost = logged([ReasoningDelta("lost"), TextDelta("gone")])
    answer = fold(ID, logged([ReasoningDelta("kept"), *WORDS], after=lost), background=True)

    found = resumption(answer, asked(background=True), continues=True)

    assert found.beginning == Beginning(text="Once upon ", thoughts="kept")
