"""Answers that break off and are gone on with, over real HTTP, by servers with ways of their own."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.response import Head
from meanwhile.operations.running.claimed import Claimed
from meanwhile.providers.asking import Asking
from meanwhile.providers.catalogue import Catalogue, Continuation, ModelEntry
from meanwhile.providers.router import Providers
from tests.fake_provider import Continuing, FakeProvider
from tests.integration.work.shop import SETTINGS
from tests.unit.operations.scene import LEASE, Scene

ANSWER = "Once upon a time,\n\n there was  a lighthouse.\n"
WAYS: tuple[Continuation, ...] = ("final_message", "continue_final_message", "prefix", "prefix_echoed")
PLACES = [
    pytest.param(len("Once up"), id="in mid-word"),
    pytest.param(len("Once upon"), id="behind a word"),
    pytest.param(len("Once upon "), id="behind a space"),
    pytest.param(len("Once upon a time,\n\n"), id="in white space"),
    pytest.param(len("Once upon a time,\n\n there was "), id="between two spaces"),
    pytest.param(len(ANSWER) - 1, id="behind the last word"),
    pytest.param(len(ANSWER), id="before the end"),
]
every_way = pytest.mark.parametrize("way", WAYS)
any_place = pytest.mark.parametrize("place", PLACES)


class Service:
    """A worker that asks one model over HTTP."""

    def __init__(self, server: Continuing, base_url: str, continuation: Continuation) -> None:
        entry = ModelEntry(id="fake", provider="chat_completions", continuation=continuation)
        self.server = server
        self.providers = Providers(
            Catalogue({"fake": entry}),
            replace(SETTINGS, model_base_url=base_url),
            lambda _, text: len(text.split()),
        )
        self.scene = Scene()
        self.scene.continues = self.providers.continues("fake")

    def accepted(self, **more: Any) -> Head:
        """Accept a question."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell!"}]}
        return self.scene.accepted(model="fake", input=[item], **more)

    def run(self, claimed: Claimed) -> None:
        """See it to its end."""
        ask = Asking(
            providers=self.providers,
            patience_seconds=1,
            monotonic=time.monotonic,
            sleep=asyncio.sleep,
            jitter=lambda: 0,
        )
        self.scene.run(claimed, ask)

    def answered(self, head: Head) -> Any:
        """Run it, and return what its owner sees."""
        self.run(self.scene.claim(head.id, alone=True))
        return self.scene.shown(head)


@contextmanager
def service(
    way: Continuation, *breaks_at: int, continuation: Continuation | None = None, pieces: int = 3
) -> Iterator[Service]:
    """Run a server of this kind; the catalogue is right about it, unless it says otherwise."""
    server = Continuing(ANSWER, way, breaks_at, pieces=pieces)
    with FakeProvider(default=server) as running:
        yield Service(server, running.base_url, continuation or way)


def texts(shown: Any) -> list[str]:
    """Return the text of every message."""
    return ["".join(part["text"] for part in item["content"]) for item in shown["output"]]


@every_way
@any_place
def test_a_stream_that_breaks_is_gone_on_with(way: Continuation, place: int) -> None:
    """The same item, and to a letter what an unbroken stream would have said."""
    with service(way, place) as ours:
        shown = ours.answered(ours.accepted())

    assert (shown["status"], texts(shown)) == ("completed", [ANSWER])
    assert len(ours.server.asked) == 2


@every_way
@any_place
def test_what_a_dead_worker_has_left_is_gone_on_with(way: Continuation, place: int) -> None:
    """The next claim reads the words from the log, and nobody sees another id."""
    with service(way) as ours:
        head = ours.accepted(background=False, stream=True)
        ours.scene.said(head, TextDelta(ANSWER[:place]))
        before = ours.scene.shown(head)["output"][0]["id"]
        ours.scene.clock.advance(LEASE)

        shown = ours.answered(head)

    assert (shown["status"], texts(shown)) == ("completed", [ANSWER])
    assert [item["id"] for item in shown["output"]] == [before]
    assert len(ours.server.asked) == 1


@every_way
@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_a_stream_may_break_again_and_come_in_any_pieces(way: Continuation, pieces: int) -> None:
    """White space may come alone, and an echo in one piece or in thirty."""
    with service(way, 11, 19, pieces=pieces) as ours:
        shown = ours.answered(ours.accepted())

    assert texts(shown) == [ANSWER]
    assert [len(body["messages"]) for body in ours.server.asked] == [1, 2, 2]


@every_way
def test_the_usage_is_that_of_the_whole_answer(way: Continuation) -> None:
    """Seven tokens were read, a word each was written; the server counts what it was given as read."""
    with service(way, len("Once upon a time,")) as ours:
        shown = ours.answered(ours.accepted())

    assert (shown["usage"]["input_tokens"], shown["usage"]["output_tokens"]) == (7, len(ANSWER.split()))


@every_way
def test_what_is_left_of_the_limit_is_asked_for(way: Continuation) -> None:
    """Two words are there already."""
    with service(way, len("Once upon")) as ours:
        ours.answered(ours.accepted(max_output_tokens=99))

    assert [body["max_tokens"] for body in ours.server.asked] == [99, 97]


def test_with_nothing_left_of_the_limit_the_answer_is_incomplete() -> None:
    """All of it was written, and only the end got lost."""
    with service("prefix", len("Once upon a time,")) as ours:
        shown = ours.answered(ours.accepted(max_output_tokens=4))

    assert (shown["status"], texts(shown)) == ("incomplete", ["Once upon a time,"])
    assert shown["incomplete_details"] == {"reason": "max_output_tokens"}
    assert len(ours.server.asked) == 1


@pytest.mark.parametrize(
    ("way", "said"),
    [
        pytest.param("prefix", "final_message", id="no prefix flag"),
        pytest.param("prefix_echoed", "continue_final_message", id="another flag"),
    ],
)
def test_a_server_that_refuses_the_beginning_starts_over(way: Continuation, said: Continuation) -> None:
    """A catalogue that is wrong about it costs a call, and no answer."""
    with service(way, 11, continuation=said) as ours:
        shown = ours.answered(ours.accepted())

    assert (shown["status"], texts(shown)) == ("completed", ["", ANSWER])
    assert len(ours.server.asked) == 3


def test_a_server_that_has_stopped_to_echo_loses_nothing() -> None:
    """Where nothing is said twice, nothing is left out."""
    with service("prefix", 11, continuation="prefix_echoed") as ours:
        assert texts(ours.answered(ours.accepted())) == [ANSWER]


def test_a_foreground_stream_of_a_model_that_cannot_go_on_is_interrupted() -> None:
    """Nobody asks again."""
    with service("none", 11) as ours:
        shown = ours.answered(ours.accepted(background=False, stream=True))

    assert (shown["status"], shown["error"]["code"], texts(shown)) == (
        "failed",
        "interrupted",
        [ANSWER[:11]],
    )
    assert len(ours.server.asked) == 1
