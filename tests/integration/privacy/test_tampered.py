"""Whoever can write to table and bucket can take answers away, but not change, mix or shorten them."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from meanwhile.domain.errors import LogCorrupt, ResponseNotFound, ServiceError, Tampered, Unavailable
from meanwhile.web.errors import row_of
from tests.integration.privacy.told import Tamper, Told, texts
from tests.integration.privacy.vault import Vault
from tests.support import aws

LOG = [f"log#{number:06d}" for number in range(6)]
FENCE, ONE, TWO, THREE, END = LOG[:5]


@pytest.fixture(scope="module")
def all_told(only_vault: Vault) -> Told:
    only_vault.reset()
    return Told(only_vault)


@pytest.fixture
def told(all_told: Told) -> Iterator[Told]:
    yield all_told
    all_told.restore()


def test_untouched_everything_is_read_as_it_was_said(told: Told) -> None:
    """Else nothing below would prove a thing."""
    for name, truths in told.truths.items():
        assert told.seen(name) == truths[-1]
    assert texts(told.seen("running")) == ["un deux trois "]
    assert told.item("ended", "request")["blob"]


RUNNING: dict[str, Tamper] = {
    "form": lambda told: told.flip("running", TWO, 0),
    "key version": lambda told: told.flip("running", TWO, 4),
    "nonce": lambda told: told.flip("running", TWO, 5),
    "body": lambda told: told.flip("running", TWO, 17),
    "tag": lambda told: told.flip("running", TWO, -1),
    "nothing left": lambda told: told.change("running", TWO, payload={"B": b""}),
    "cut short": lambda told: told.change("running", TWO, payload={"B": b"\x01\0\0\0\x01" + bytes(20)}),
    "epoch": lambda told: told.change("running", TWO, epoch={"N": "2"}),
    "first event": lambda told: told.change("running", TWO, first_seq={"N": "3"}),
    "count": lambda told: told.change("running", TWO, count={"N": "2"}),
    "nonce of the write": lambda told: told.change("running", TWO, nonce={"S": "0" * 16}),
    "first removed": lambda told: told.remove("running", FENCE),
    "one in the middle removed": lambda told: told.remove("running", TWO),
    "called deleted": lambda told: told.change("running", TWO, deleted={"BOOL": True}),
    "two swapped": lambda told: told.swap(
        ("running", ONE), ("running", TWO), "payload", "epoch", "first_seq", "count", "nonce"
    ),
    "payloads swapped": lambda told: told.swap(("running", ONE), ("running", TWO), "payload"),
    "said again": lambda told: told.copy(("running", THREE), ("running", END)),
    "another response's": lambda told: told.copy(("other", TWO), ("running", TWO)),
    "another owner's": lambda told: told.copy(("bobs", TWO), ("running", TWO)),
    "another's end": lambda told: told.copy(("other", END), ("running", END)),
    "ended in the head alone": lambda told: told.change("running", "head", status={"S": "completed"}),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("tamper", RUNNING)
def test_a_log_that_was_tampered_with_is_not_read(told: Told, tamper: str) -> None:
    """What is left of it would be a wrong answer, or another's."""
    RUNNING[tamper](told)

    error = told.seen("running")

    assert isinstance(error, LogCorrupt)


def test_a_response_given_to_another_owner_opens_for_neither(told: Told) -> None:
    """Whose it is stands in the clear; what it says is sealed for the one who asked."""
    told.change("running", "head", owner={"S": "bob"})

    assert isinstance(told.seen("running"), ResponseNotFound)  # ada is a stranger to it now
    with pytest.raises(Tampered):
        told.scene.read("bob", told.heads["running"].id)


UNMENDED: dict[str, Tamper] = {
    "the fence": lambda told: told.remove("unmended", FENCE),
    "one in the middle": lambda told: told.remove("unmended", ONE),
    "the last before the end": lambda told: told.remove("unmended", TWO),
    "the last, and the end moved up": lambda told: told.move(("unmended", THREE), ("unmended", TWO)),
    "another's end instead": lambda told: told.copy(("other", END), ("unmended", THREE)),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("tamper", UNMENDED)
def test_a_log_with_a_part_missing_is_not_finished(told: Told, tamper: str) -> None:
    """Reader, sweeper, cancel: none of them may write down a result with words left out."""
    UNMENDED[tamper](told)
    head = told.heads["unmended"]
    told.vault.clock.advance(60)

    for look in (
        lambda: told.scene.read(head.owner, head.id),
        lambda: told.scene.ending.mend(head),
        lambda: told.scene.cancel(head.owner, head.id),
        lambda: told.scene.claim(head.id, alone=True).open(),
    ):
        with pytest.raises(LogCorrupt):
            look()
    told.scene.sweep()

    parts = {
        item["part"]["S"] for item in aws.contents(told.vault.table) if item["response_id"]["S"] == head.id
    }
    assert "head" in parts
    assert "output" not in parts
    told.vault.clock.advance(-60)


ENDED: dict[str, Tamper] = {
    "the end is gone, the head has ended": lambda told: told.remove("ended", "output", END),
    "the whole log and the output are gone": lambda told: told.remove("ended", "output", *LOG[:5]),
    "output altered": lambda told: told.flip("ended", "output", 20),
    "output of another response": lambda told: told.copy(("other", "output"), ("ended", "output")),
    "output of another owner": lambda told: told.copy(("bobs", "output"), ("ended", "output")),
    "output and request swapped": lambda told: told.swap(
        ("ended", "output"), ("ended", "request"), "payload", "blob"
    ),
    "a batch as the output": lambda told: told.change(
        "ended", "output", payload=told.item("ended", TWO)["payload"]
    ),
    "request altered in the bucket": lambda told: told.flip("ended", "request", 20),
    "request's object gone": lambda told: told.vault.s3.delete_object(
        Bucket="meanwhile-test", Key=told.blob("ended")
    ),
    "request's object empty": lambda told: told.write_object(told.blob("ended"), b""),
    "request's object another's": lambda told: told.write_object(
        told.blob("ended"), told._read(told.blob("bobs"))
    ),
    "request's object of another response": lambda told: told.change(
        "ended", "request", blob={"S": told.blob("other")}
    ),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("tamper", ENDED)
def test_a_result_or_request_that_was_tampered_with_is_not_shown(told: Told, tamper: str) -> None:
    """An ended response is read from its result; a head that has ended needs one, or a log that has."""
    ENDED[tamper](told)

    assert isinstance(told.seen("ended"), LogCorrupt)
    assert told.seen("other") == told.truths["other"][-1]


def test_the_answer_to_whoever_asks_is_a_plain_server_error() -> None:
    """It says nothing of what was found."""
    for error in (LogCorrupt, Tampered):
        row = row_of(error)
        assert (row.status, bool(row.message)) == (500, True)


def test_a_stranger_hears_nothing_of_it(told: Told) -> None:
    """Another owner's id is not found, in whatever state what it names is: no 500 says that it exists."""
    told.flip("ended", "output", 20)
    told.vault.s3.delete_object(Bucket="meanwhile-test", Key=told.blob("running"))

    for name in ("ended", "running"):
        with pytest.raises(ResponseNotFound):
            told.scene.read("bob", told.heads[name].id)


def test_a_response_whose_log_cannot_be_read_ends_as_failed(told: Told) -> None:
    """Nobody waits for ever: when its time is over the sweeper says so, without what was in it."""
    told.flip("running", TWO, 20)
    told.vault.clock.advance(4000)

    told.scene.sweep()

    shown = told.seen("running")
    assert (shown["status"], shown["output"], shown["error"]["code"]) == ("failed", [], "server_error")
    told.vault.clock.advance(-4000)


NAMES = st.sampled_from(["ended", "other", "bobs", "running", "unmended"])
CONTENT = st.sampled_from([*LOG, "output", "request"])
PLACES = st.tuples(NAMES, CONTENT)
CLEAR = {
    "epoch": st.integers(0, 3).map(lambda number: {"N": str(number)}),
    "first_seq": st.integers(0, 12).map(lambda number: {"N": str(number)}),
    "count": st.integers(0, 4).map(lambda number: {"N": str(number)}),
    "nonce": st.text("0123456789abcdef", max_size=3).map(lambda text: {"S": text}),
    "payload": st.binary(max_size=80).map(lambda sealed: {"B": sealed}),
    "deleted": st.just({"BOOL": True}),
}
TAMPERS = st.one_of(
    st.builds(
        lambda place, at, bit: ("flip", *place, at, bit), PLACES, st.integers(0, 400), st.integers(0, 7)
    ),
    st.builds(lambda place: ("remove", *place), PLACES),
    st.builds(lambda here, there: ("copy", here, there), PLACES, PLACES),
    st.builds(lambda here, there: ("swap", here, there, "payload", "blob"), PLACES, PLACES),
    st.builds(
        lambda here, there: ("swap", here, there, "payload", "blob", "epoch", "first_seq", "count", "nonce"),
        PLACES,
        PLACES,
    ),
    st.sampled_from(sorted(CLEAR)).flatmap(
        lambda name: st.builds(lambda place, value: ("change", *place, {name: value}), PLACES, CLEAR[name])
    ),
)


@pytest.mark.exhaustive
@settings(
    max_examples=15,
    phases=[Phase.generate],  # each look is a dozen calls of moto: shrinking one takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(tampers=st.lists(TAMPERS, min_size=1, max_size=3))
def test_no_reader_is_ever_told_what_was_never_said(all_told: Told, tampers: list[tuple]) -> None:  # type: ignore[type-arg]  # each its own
    """After any of it, mended or not: an error, or what was once true; never a wrong word, nor another's."""
    told = all_told
    try:
        for what, *about in tampers:
            more = about.pop() if what == "change" else {}
            try:
                getattr(told, what)(*about, **more)
            except KeyError:
                continue  # no such part in this response
        for name, truths in told.truths.items():
            for mended in (False, True):
                if mended:
                    told.mend(name)
                seen = told.seen(name)
                if isinstance(seen, ServiceError):
                    assert isinstance(seen, LogCorrupt | Unavailable | ResponseNotFound)
                else:
                    assert seen in truths
                for stranger in {"ada", "bob", "eve"} - {told.heads[name].owner}:
                    with pytest.raises(ResponseNotFound):
                        told.scene.read(stranger, told.heads[name].id)
    finally:
        told.restore()
