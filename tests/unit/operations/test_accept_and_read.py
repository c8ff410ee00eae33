"""Accept and Read: stored means accepted, and only the owner finds it."""

from dataclasses import replace

import pytest

from meanwhile.domain.answer import fold
from meanwhile.domain.errors import ResponseNotFound, Unavailable
from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Status
from tests.unit.operations.scene import DAY, HELLO, KEPT, MINUTE, OWNER, RESEND, Scene

REQUEST = Request(model="simulator", input=[], background=True)


def test_what_is_accepted_is_stored_and_queued_once(scene: Scene) -> None:
    """The queue owns the work, never the socket."""
    head = scene.accept(OWNER, REQUEST)

    assert scene.shown(head)["status"] == "queued"
    assert scene.queue.sent == [(head.id, OWNER, False)]


def test_a_queue_that_fails_does_not_fail_the_caller(scene: Scene) -> None:
    """Stored means accepted: the sweeper sends it a minute later."""
    scene.queue.out_of_order = True
    head = scene.accept(OWNER, REQUEST)
    scene.queue.out_of_order = False

    scene.sweep(after=RESEND)

    assert scene.queue.sent == [(head.id, OWNER, False)]


def test_what_could_not_be_stored_is_not_queued(scene: Scene) -> None:
    """A worker would find nothing to work on."""

    def unavailable(*args: object, **more: object) -> None:
        raise Unavailable(f"{len(args) + len(more)}")

    scene.broken("responses", accept=unavailable)

    with pytest.raises(Unavailable):
        scene.accept(OWNER, REQUEST)
    assert scene.queue.sent == []


@pytest.mark.parametrize(("store", "kept"), [(True, KEPT), (False, 2 * DAY)])
def test_what_is_open_is_kept_for_as_long_as_it_may_be_open(
    scene: Scene,
    *,
    store: bool,
    kept: float,
) -> None:
    """What is promised to go soon goes soon after its end, not before it."""
    head = scene.accept(OWNER, replace(REQUEST, store=store))

    assert head.expires_at == head.created_at + kept


def test_a_running_response_shows_its_text_so_far(scene: Scene) -> None:
    """Partial text whenever they look."""
    head = scene.accepted()
    scene.said(head, TextDelta("Hel"))

    assert scene.shown(head)["status"] == "in_progress"
    assert scene.text(head) == "Hel"


def test_an_ended_response_is_read_without_its_log(scene: Scene) -> None:
    """One call a poll; and it says what the log said."""
    head = scene.accepted()
    scene.ended(head)
    log = scene.facts(head)
    scene.broken("log", read=lambda *_args, **_kwargs: pytest.fail("one call is enough"))

    assert scene.text(head) == "Hello"
    assert scene.shown(head)["output"] == fold(head.id, log, background=True).output()


@pytest.mark.parametrize("why", ["unknown", "another's", "deleted", "expired", "half accepted"])
def test_what_is_not_theirs_to_read_is_not_found(scene: Scene, why: str) -> None:
    """A stranger must not learn from the error that an id exists."""
    head = scene.accepted()
    owner, response_id = OWNER, head.id
    if why == "unknown":
        response_id = "resp_ffff"
    elif why == "another's":
        owner = "bob"
    elif why == "deleted":
        scene.ended(head)
        scene.delete(OWNER, head.id)
    elif why == "expired":
        scene.clock.advance(KEPT)
    else:
        scene.stores.responses.accept(head, None)  # type: ignore[arg-type]  # what a crash leaves behind

    for operation in (scene.read, scene.cancel, scene.delete):
        with pytest.raises(ResponseNotFound, match=f"Response with id '{response_id}' not found."):
            operation(owner, response_id)


def test_a_reader_mends_a_head_that_did_not_follow(scene: Scene) -> None:
    """A worker died between the log and the head; the log decides."""
    head = scene.accepted()
    scene.ended(head, mended=False)
    assert scene.text(head) == "Hello"
    assert not scene.head(head).has_ended  # it may only be a moment behind

    scene.clock.advance(5)

    assert scene.text(head) == "Hello"
    assert scene.head(head).status is Status.COMPLETED


def test_it_shows_the_same_before_and_after_its_head_followed(scene: Scene) -> None:
    """Neither the order of keys nor a value may tell which way it was read."""
    head = scene.accepted()
    scene.ended(head, mended=False)
    before = scene.shown(head)

    scene.clock.advance(5)
    scene.shown(head)

    assert list(scene.shown(head).items()) == list(before.items())


@pytest.mark.parametrize("mended", [True, False])
def test_what_is_not_stored_is_gone_ten_minutes_after_its_end(scene: Scene, *, mended: bool) -> None:
    """Promised gone means gone, whether or not a sweeper came by."""
    head = scene.accepted(store=False)
    scene.ended(head, mended=mended)

    scene.clock.advance(10 * MINUTE - 1)
    assert scene.text(head) == "Hello"
    scene.clock.advance(1)

    with pytest.raises(ResponseNotFound):
        scene.shown(head)


def test_a_waiting_caller_is_never_told_of_a_queue(scene: Scene) -> None:
    """A foreground response is in progress from the start."""
    head = scene.accepted(background=False)

    assert scene.shown(head)["status"] == "in_progress"
    scene.said(head, *HELLO).finish()
    assert scene.shown(head)["status"] == "completed"
