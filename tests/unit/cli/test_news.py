"""What is new in a response, told once."""

from typing import Any

import pytest

from meanwhile.cli.news import Began, Called, Grew, Moved, News, Reader, StartedOver, calls_of, text_of
from tests.unit.cli.fake_service import message, response

CALL = {"id": "fc_1", "type": "function_call", "status": "completed", "name": "f", "arguments": '{"a":1}'}


def told(*looks: dict[str, Any]) -> list[News]:
    """Return all that a reader tells of these looks."""
    reader = Reader()
    return [news for look in looks for news in reader.read(look)]


def test_text_is_told_as_it_grows_and_only_what_is_new() -> None:
    """Every poll returns the whole text so far; a terminal wants the difference."""
    assert told(
        response("queued"),
        response("queued"),
        response("in_progress", "Once"),
        response("in_progress", "Once"),
        response("completed", "Once more"),
    ) == [Moved("queued"), Moved("in_progress"), Grew("Once"), Grew(" more")]


def test_a_message_that_was_given_up_starts_over() -> None:
    """After a crash it has no content, and another message tells the same anew."""
    assert told(
        response("in_progress", "Once upon"),
        response("in_progress", lost=1),
        response("in_progress", "Once", lost=1),
        response("completed", "Once upon a time", lost=1),
    )[2:] == [StartedOver(), Grew("Once"), Grew(" upon a time")]


def test_a_crash_between_two_looks_is_noticed_all_the_same() -> None:
    """The new message may be there, and longer than the old one was, before anybody looks again."""
    assert told(response("in_progress", "Once"), response("completed", "Once upon", lost=1))[2:] == [
        StartedOver(),
        Grew("Once upon"),
    ]


def test_who_comes_after_a_crash_hears_nothing_of_it() -> None:
    """Nothing that was shown has to be taken back."""
    assert told(response("completed", "Once", lost=2)) == [Grew("Once")]


def test_a_response_that_ended_does_not_start_over() -> None:
    """The last attempt's text is cleared too; what the terminal shows is then all there will be."""
    assert told(response("in_progress", "Once"), response("failed", lost=1))[2:] == []
    assert told(response("in_progress", "Once"), response("cancelled"))[2:] == []


def test_two_messages_are_two_paragraphs() -> None:
    """A model may say something before it calls a function, and more afterwards."""
    two = response("completed", "First.", "Second.")

    assert told(two) == [Grew("First."), Began(), Grew("Second.")]
    assert text_of(two) == "First.\n\nSecond."


def test_a_refusal_is_text() -> None:
    """It is what the model says."""
    part = {"type": "refusal", "refusal": "No."}

    assert told(response("completed", output=[message(0) | {"content": [part]}])) == [Grew("No.")]


@pytest.mark.parametrize(("status", "calls"), [("completed", [Called("f", '{"a":1}')]), ("in_progress", [])])
def test_a_call_is_told_when_its_arguments_are_whole(status: str, calls: list[Called]) -> None:
    """Half of some JSON is of no use to anybody."""
    found = response("in_progress", output=[CALL | {"status": status}])

    assert told(found, found) == [Moved("in_progress"), *calls]
    assert calls_of(found) == calls


def test_what_is_neither_text_nor_call_is_left_out() -> None:
    """Reasoning, compactions (which have no status), and items that later versions bring."""
    compaction = {"id": "cmp_1", "type": "compaction", "encrypted_content": "x"}
    novelty = {"id": "x", "type": "novelty", "status": "completed"}

    assert told(response("completed", output=[compaction, novelty])) == []
    assert calls_of(response("completed", output=[compaction, novelty])) == []
