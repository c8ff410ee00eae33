"""Polling: how often, through which accidents, and how it is left."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from meanwhile.cli.errors import NotOurs, Overloaded, Refused, Unreachable
from meanwhile.cli.exits import Exit
from meanwhile.cli.screens import Growing, Screen, Whole
from meanwhile.cli.service import Service
from meanwhile.cli.session import Session
from tests.unit.cli.fake_service import ID, Answer, FakeService, HangUp, Script, refusal, response

LOOK = f"GET /responses/{ID}"
ASKED = {"model": "simulator", "input": "Hello", "background": True}


@dataclass
class Time:
    """A clock that sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    interrupt_at: int | None = None
    """The number of the sleep in which Ctrl-C is pressed."""

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        if len(self.slept) == self.interrupt_at:
            raise KeyboardInterrupt
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def time() -> Time:
    """Return a clock."""
    return Time()


@pytest.fixture
def out() -> Console:
    """Return where the answer goes."""
    return Console(file=io.StringIO())


@pytest.fixture
def notes() -> Console:
    """Return where everything else goes."""
    return Console(file=io.StringIO())


@pytest.fixture
def http(service: FakeService, time: Time) -> Iterator[Service]:
    """Connect to the fake."""
    with Service(service.settings, time.sleep) as connected:
        yield connected


@pytest.fixture
def session(http: Service, out: Console, notes: Console, time: Time) -> Session:
    """Return one whose answer is piped."""
    return session_with(Whole(out, notes), http, time)


def session_with(screen: Growing | Whole, http: Service, time: Time) -> Session:
    """Return one with this screen."""
    shown: Screen = screen
    return Session(http, screen.out, screen.notes, shown, False, time.sleep, time.monotonic)


def written(console: Console) -> str:
    """Return what was written."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def running(*, after: str | None = None) -> Answer:
    """Return a look at one that runs."""
    return Answer(response("in_progress", "Once"), headers={"openai-poll-after-ms": after} if after else {})


# ── How often ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wish", "piped", "watched"),
    [
        ("2000", 2, 0.5),
        ("8000", 8, 2),
        ("100", 0.5, 0.5),
        ("9999999", 60, 60),
        (None, 2, 0.5),
        ("soon", 2, 0.5),
    ],
)
def test_it_asks_again_when_the_service_says_and_sooner_for_eyes(
    service: FakeService, http: Service, time: Time, wish: str | None, piped: float, watched: float
) -> None:
    """A service in trouble can slow everybody down, whoever watches included; none can make us spin."""
    for screen, pause in ((Whole, piped), (Growing, watched)):
        service.on(LOOK, running(after=wish), response("completed", "Once more"))
        made = screen(Console(file=io.StringIO()), Console(file=io.StringIO()))

        assert session_with(made, http, time).watch(ID) is Exit.COMPLETED
        assert time.slept.pop() == pause


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 0), ("failed", 1), ("incomplete", 1), ("cancelled", 3)]
)
def test_the_exit_code_says_how_it_ended(
    service: FakeService, session: Session, status: str, code: int
) -> None:
    """A script need not read."""
    service.on(LOOK, running(), response(status))

    assert session.watch(ID) == code


# ── Leaving ───────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_interrupts_is_told_how_to_come_back(
    service: FakeService, session: Session, time: Time, notes: Console
) -> None:
    """Leaving is what this service is for: the answer goes on, and its id is the last thing seen."""
    service.on("POST /responses", response("queued"))
    service.on(LOOK, running())
    time.interrupt_at = 2

    assert session.ask(ASKED, wait=True) is Exit.INTERRUPTED

    assert written(notes).rstrip().endswith(f"Pick it up with:\n  meanwhile watch {ID}")
    assert not [asked for asked in service.asked if "cancel" in asked.call]


def test_whoever_interrupts_before_the_id_is_known_is_told_where_to_look(
    service: FakeService, session: Session, time: Time, notes: Console
) -> None:
    """It may have been accepted; the list knows."""
    service.on("POST /responses", refusal(503, "Later."))
    time.interrupt_at = 0

    assert session.ask(ASKED, wait=True) is Exit.INTERRUPTED
    assert "meanwhile responses" in written(notes)


# ── Accidents ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_outage_of_half_a_minute_goes_unnoticed(
    service: FakeService, session: Session, out: Console
) -> None:
    """Deployments and lost connections are no reason to lose sight of an answer."""
    outage: list[Script] = [
        HangUp(),
        refusal(503, "Later."),
        refusal(429, "Slowly."),
        Answer("<html>", 502),
    ] * 3
    service.on(LOOK, running(), *outage, response("completed", "Once more"))

    assert session.watch(ID) is Exit.COMPLETED
    assert written(out) == "Once more\n"


def test_a_longer_outage_ends_with_the_way_back(
    service: FakeService, session: Session, notes: Console
) -> None:
    """The answer may be well; only this view of it ends."""
    service.on("POST /responses", response("queued"))
    service.on(LOOK, running(), HangUp())

    with pytest.raises(Unreachable, match="broke off"):
        session.ask(ASKED, wait=True)

    assert f"meanwhile watch {ID}" in written(notes)


def test_a_service_that_never_answered_is_not_waited_for(
    service: FakeService, session: Session, time: Time
) -> None:
    """A wrong URL should be said at once."""
    service.on(LOOK, refusal(503, "Down."))

    with pytest.raises(Overloaded, match=r"Down\."):
        session.watch(ID)

    assert time.slept == []


def test_a_lost_answer_to_a_question_does_not_ask_twice(service: FakeService, session: Session) -> None:
    """Every attempt carries the same key, so the service knows it for one question."""
    service.on("POST /responses", HangUp(), refusal(503, "Later."), response("queued"))
    service.on(LOOK, response("completed", "Hi"))

    assert session.ask(ASKED, wait=True) is Exit.COMPLETED

    keys = [asked.headers["idempotency-key"] for asked in service.asked if asked.call.startswith("POST")]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_question_that_must_not_be_repeated_is_not(service: FakeService, session: Session) -> None:
    """The service says so where a repetition could have its effect twice."""
    service.on("POST /responses", refusal(500, "Broken.", x_should_retry="false", x_request_id="req_1"))

    with pytest.raises(Refused, match=r"Broken\. \(request req_1\)"):
        session.ask(ASKED, wait=True)

    assert len(service.asked) == 1


def test_something_else_at_that_address_is_recognised(service: FakeService, session: Session) -> None:
    """A proxy's page, or the right host without `/v1`."""
    service.on(LOOK, Answer("<html>Welcome</html>"))

    with pytest.raises(NotOurs, match="MEANWHILE_URL"):
        session.watch(ID)


# ── Several ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_is_read_page_by_page_up_to_its_limit(
    service: FakeService, session: Session, out: Console
) -> None:
    """The service gives a hundred at most; the cursor is the last id."""
    first: dict[str, Any] = {"data": [response("queued", id=f"resp_{n}") for n in range(100)]}
    first |= {"last_id": "resp_99", "has_more": True}
    both = [response("queued", id="resp_100"), response("queued", id="resp_x")]
    second = {"data": both, "last_id": "resp_x", "has_more": True}
    service.on("GET /responses?status=open&limit=100", first)
    service.on("GET /responses?status=open&after=resp_99&limit=1", second)

    assert session.responses(status="open", limit=101) is Exit.COMPLETED

    assert [line.split("\t")[0] for line in written(out).splitlines()] == [f"resp_{n}" for n in range(101)]


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_too_old_to_list_says_so(service: FakeService, session: Session, status: int) -> None:
    """`Unknown URL` would send people to look for a mistake of their own."""
    service.on("GET /responses?limit=20", refusal(status, "Unknown URL."))

    with pytest.raises(Refused, match="cannot list responses"):
        session.responses(status=None, limit=20)


def test_one_refusal_does_not_keep_the_others_from_being_cancelled(
    service: FakeService, session: Session, out: Console, notes: Console
) -> None:
    """All that can be stopped are stopped, and the exit code tells that one was not."""
    service.on("POST /responses/resp_1/cancel", refusal(400, "Cannot cancel a completed response."))
    service.on("POST /responses/resp_2/cancel", response("cancelled"))

    assert session.cancel(["resp_1", "resp_2"]) is Exit.FAILED

    assert written(out) == "resp_2 cancelled\n"
    assert written(notes) == "resp_1: Cannot cancel a completed response.\n"
