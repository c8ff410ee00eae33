"""Run: a model is asked with what its request continues, and what it is not shown is on record."""

from typing import Any

import pytest

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.events import events
from meanwhile.domain.facts import Dropped, Started
from meanwhile.domain.response import Head, Status
from meanwhile.operations.threads.recall import Recall
from tests.unit.operations.reading import Reading, said, short
from tests.unit.operations.scene import HELLO, LEASE, OWNER, STOP, Scene, Script


class Place:
    """A thread, and a worker beside it."""

    def __init__(self, window: int) -> None:
        self.reading, self.scene = Reading(window), Scene()
        self.scene.clock = self.reading.clock
        self.scene.use(self.reading.stores)

    def run(self, head: Head, *tries: Any) -> Script:
        script = Script(*tries)
        claimed = self.scene.claim(head.id, alone=True)
        self.scene.run(claimed, script, context=self.reading.context)
        return script

    def told(self, head: Head) -> list[Any]:
        """Return the snapshots of a stream's events."""
        record = self.reading.stores.responses.record(head.id)
        assert record
        assert record.request
        return [
            event["response"]
            for event in events(head, record.request, self.scene.facts(head))
            if "response" in event
        ]


def test_the_model_is_asked_with_what_it_continues() -> None:
    """Live, in a replay and when polled, nothing is said of what was dropped where nothing was."""
    place = Place(window=100)
    talk = place.reading.talk(said("one"), said("two", "assistant"))
    head = place.reading.accepted(said("three"), conversation=talk)

    script = place.run(head, HELLO)

    assert [short(item) for item in script.requests[0].input] == ["one", "two", "three"]
    assert "dropped" not in place.scene.shown(head)
    assert [short(item) for item in place.scene.shown(head)["output"]] == ["Hello"]


def test_what_was_dropped_is_on_record() -> None:
    """A fact of the log, so that whoever reads it however late is told the same."""
    place = Place(window=10)
    talk = place.reading.talk(said("aaaa"), said("bbbb"), said("cc"))
    head = place.reading.accepted(said("dd"), conversation=talk)

    script = place.run(head, HELLO)

    numbers = {"items": 1, "tokens": 4, "first": 0, "last": 0}
    assert [short(item) for item in script.requests[0].input] == ["bbbb", "cc", "dd"]
    assert place.scene.facts(head)[:2] == [Started(), Dropped(**numbers)]
    assert place.scene.shown(head)["dropped"] == numbers
    assert [shown.get("dropped") for shown in place.told(head)] == [None, None, None, numbers, numbers]
    assert place.scene.read.answer(head).dropped == Dropped(**numbers)


def test_who_goes_on_after_a_crash_does_not_say_it_again() -> None:
    """The numbers are the same, for the place is; readers would see an event twice."""
    place = Place(window=10)
    talk = place.reading.talk(said("aaaa"), said("bbbb"), said("cc"))
    head = place.reading.accepted(said("dd"), conversation=talk)
    crashed = place.scene.claimed(head)
    crashed.append([Dropped(1, 4, 0, 0)])
    place.scene.clock.advance(LEASE)

    place.run(head, [STOP])

    assert place.scene.facts(head).count(Dropped(1, 4, 0, 0)) == 1
    assert place.scene.shown(head)["status"] == "completed"


def test_what_no_longer_fits_fails_and_no_model_is_asked() -> None:
    """It fitted when it was accepted, by the window of then: the worker looks again."""
    place = Place(window=100)
    talk = place.reading.talk(said("aaaa"), said("bbbb"))
    head = place.reading.accepted(said("cc"), truncation="disabled", conversation=talk)
    place.reading.window = Reading(window=8).window

    script = place.run(head)

    error = place.scene.shown(head)["error"]
    assert (script.asked, error["code"]) == (0, "context_length_exceeded")
    assert error["message"].startswith("This does not fit into the model's context window: 2 tokens")


def test_a_response_whose_conversation_is_deleted_fails() -> None:
    """There is nothing to show, and nobody to tell otherwise."""
    place = Place(window=100)
    talk = place.reading.talk(said("a"))
    head = place.reading.accepted(said("b"), conversation=talk)
    place.reading.all.conversations.delete(OWNER, talk)

    assert place.run(head).asked == 0

    assert place.scene.shown(head)["error"]["code"] == "conversation_not_found"


def test_a_thread_that_cannot_be_read_ends_the_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again would find the same; nobody should wait for that."""
    place = Place(window=100)
    head = place.reading.accepted(said("b"), conversation=place.reading.talk(said("a")))

    def damaged(*_: Any) -> Any:
        raise LogCorrupt("a batch is missing")

    monkeypatch.setattr(Recall, "open", damaged)
    place.run(head)

    assert place.scene.head(head).status is Status.FAILED
    assert place.scene.shown(head)["error"]["message"] == "What was said before cannot be read."
