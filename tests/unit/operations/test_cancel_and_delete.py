"""Cancel and Delete: every row of the table "Background rules" in the contract."""

import pytest

from meanwhile.domain.errors import (
    ClaimLost,
    Gone,
    NotCancellable,
    ResponseNotFound,
    SlotTaken,
    StillRunning,
    Unavailable,
)
from meanwhile.domain.facts import Delta
from meanwhile.domain.log import Batch
from meanwhile.domain.model_events import TextDelta
from meanwhile.domain.response import Ended, Head, Status
from tests.unit.operations.scene import HELLO, OWNER, Scene

BOTH = pytest.mark.parametrize("background", [True, False], ids=["background", "foreground"])


@BOTH
@pytest.mark.parametrize("words", [[], [TextDelta("Hel")]], ids=["queued", "running"])
def test_what_has_not_ended_is_cancelled_without_output_or_error(
    scene: Scene,
    *,
    background: bool,
    words: list[TextDelta],
) -> None:
    """A Stop button works, whatever had been said; foreground too, or nobody could stop it."""
    head = scene.accepted(background=background)
    if words:
        scene.said(head, *words)

    answer = scene.cancel(OWNER, head.id)

    assert (answer["status"], answer["output"], answer["error"]) == ("cancelled", [], None)
    assert answer["completed_at"] is None
    assert scene.head(head).status is Status.CANCELLED


def test_cancelling_again_gives_the_same_object(scene: Scene) -> None:
    """A click twice is one wish."""
    head = scene.accepted()
    first = scene.cancel(OWNER, head.id)
    scene.clock.advance(7)

    assert scene.cancel(OWNER, head.id) == first == scene.shown(head)


@BOTH
@pytest.mark.parametrize("mended", [True, False], ids=["mended", "not mended"])
def test_what_has_completed_stays_completed(scene: Scene, *, background: bool, mended: bool) -> None:
    """One place decides; the head may not even know yet."""
    head = scene.accepted(background=background)
    scene.ended(head, mended=mended)

    with pytest.raises(NotCancellable, match=r"^Cannot cancel a completed response\.$"):
        scene.cancel(OWNER, head.id)
    assert scene.text(head) == "Hello"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status.FAILED, "Cannot cancel a failed response."),
        (Status.INCOMPLETE, "Cannot cancel an incomplete response."),
    ],
)
def test_what_has_ended_otherwise_says_how(scene: Scene, status: Status, sentence: str) -> None:
    """In words that clients already know."""
    head = scene.accepted()
    scene.ended(head, status)

    with pytest.raises(NotCancellable) as refused:
        scene.cancel(OWNER, head.id)
    assert refused.value.message == sentence


def test_the_worker_loses_its_claim_at_the_next_heartbeat_and_its_place_at_once(scene: Scene) -> None:
    """Nothing is ever written behind the end."""
    head = scene.accepted()
    claimed = scene.said(head, TextDelta("Hel"))

    scene.cancel(OWNER, head.id)

    with pytest.raises(ClaimLost):
        claimed.append([Delta(0, "lo")])
    with pytest.raises(ClaimLost):
        claimed.renew()
    assert claimed.has_ended()
    assert isinstance(scene.facts(head)[-1], Ended)


def test_a_worker_that_ends_it_first_wins(scene: Scene) -> None:
    """Cancelled and later completed is what happens elsewhere; here it is one or the other."""
    head = scene.accepted()
    claimed = scene.said(head, *HELLO[:-1])
    append = scene.stores.log.append

    def worker_first(head: Head, batch: Batch) -> None:
        scene.broken("log", append=append)
        claimed.append([Ended(status=Status.COMPLETED, at=1)])
        append(head, batch)

    scene.broken("log", append=worker_first)

    with pytest.raises(NotCancellable):
        scene.cancel(OWNER, head.id)
    assert scene.shown(head)["status"] == "completed"


def test_a_worker_that_writes_faster_than_a_cancel_is_stopped(scene: Scene) -> None:
    """A cancel that is overtaken again and again takes the lease away; then it wins."""
    head = scene.accepted()
    claimed = scene.said(head, TextDelta("."))
    append = scene.stores.log.append
    lost: list[str] = []

    def worker_first(head: Head, batch: Batch) -> None:
        try:
            claimed.renew()
            claimed.append([Delta(0, ".")])
        except ClaimLost as error:
            lost.append(str(error))
        append(head, batch)

    scene.broken("log", append=worker_first)

    assert scene.cancel(OWNER, head.id)["status"] == "cancelled"
    assert lost


def test_a_log_that_never_stands_still_is_no_endless_loop(scene: Scene) -> None:
    """The caller is told to try again."""
    head = scene.accepted()

    def taken(*args: object, **kwargs: object) -> None:
        raise SlotTaken(f"{len(args)} {len(kwargs)}")

    scene.broken("log", append=taken)

    with pytest.raises(Unavailable):
        scene.cancel(OWNER, head.id)


@pytest.mark.parametrize("words", [[], [TextDelta("Hel")]], ids=["queued", "running"])
def test_what_runs_cannot_be_deleted(scene: Scene, words: list[TextDelta]) -> None:
    """Cancel it first."""
    head = scene.accepted()
    if words:
        scene.said(head, *words)

    with pytest.raises(StillRunning, match=r"^Cannot delete an in-flight response\.$"):
        scene.delete(OWNER, head.id)


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "not mended"])
def test_what_has_ended_is_deleted_for_good(scene: Scene, *, mended: bool) -> None:
    """Not found by anybody, and claimed by nobody."""
    head = scene.accepted()
    scene.ended(head, mended=mended)

    scene.delete(OWNER, head.id)

    with pytest.raises(ResponseNotFound):
        scene.shown(head)
    with pytest.raises(ResponseNotFound):
        scene.delete(OWNER, head.id)
    with pytest.raises(Gone):
        scene.claim(head.id, alone=True)
