"""An owner deleted while the service runs: work stops, nothing is written, nobody else notices."""

from collections.abc import AsyncGenerator

import pytest

from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import OwnerDeleted, ResponseNotFound, Unavailable
from meanwhile.domain.model_events import ModelEvent, TextDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from tests.integration.privacy.vault import CACHE_SECONDS, SEALING_SECONDS, Vault, kms_error
from tests.support import aws
from tests.unit.operations.scene import DAY, HELLO, OWNER, STOP, Scene

TOMBSTONE = {"response_id", "part", "deleted", "expires_at", "stood_in", "stood_at"}


@pytest.fixture
def scene(vault: Vault) -> Scene:
    """Put real operations over the vault, with one clock for all."""
    scene = Scene()
    scene.clock = vault.clock
    scene.use(vault.stores(inline_bytes=400))
    return scene


def parts_of(vault: Vault, head: Head) -> list[set[str]]:
    """Return which attributes each part of a response has."""
    return [set(item) for item in aws.contents(vault.table) if item["response_id"]["S"] == head.id]


def test_nothing_can_be_asked_read_or_ended_any_more(vault: Vault, scene: Scene) -> None:
    """And no trace of the attempt is left, in the table or in the bucket."""
    ended, running = scene.accepted(), scene.accepted()
    scene.ended(ended)
    claimed = scene.said(running, TextDelta("half "))
    vault.keyring.destroy(OWNER)
    before, objects = aws.contents(vault.table), vault.objects()

    with pytest.raises(OwnerDeleted):
        scene.accept(OWNER, Request(model="simulator", input=[], instructions="x" * 900))
    with pytest.raises(OwnerDeleted):
        claimed.append([])
    with pytest.raises(OwnerDeleted):
        claimed.open()
    with pytest.raises(OwnerDeleted):
        scene.stores.responses.end(running, {"output": ["late"]})
    for head in (ended, running):
        with pytest.raises(ResponseNotFound):
            scene.shown(head)
        with pytest.raises(ResponseNotFound):
            scene.cancel(OWNER, head.id)

    assert (aws.contents(vault.table), vault.objects()) == (before, objects)


def test_other_processes_write_nothing_half_a_minute_later(vault: Vault, scene: Scene) -> None:
    """They remember the key for minutes, for reading; what they wrote would be content without an owner."""
    elsewhere = vault.process()
    scene.use(vault.stores(elsewhere))
    head = scene.accepted()
    vault.keyring.destroy(OWNER)

    vault.clock.advance(SEALING_SECONDS - 1)
    claimed = scene.claimed(head)
    vault.clock.advance(1)

    with pytest.raises(OwnerDeleted):
        claimed.append([])
    with pytest.raises(OwnerDeleted):
        scene.accepted()
    with pytest.raises(ResponseNotFound):
        scene.shown(head)


def test_a_running_worker_stops(vault: Vault, scene: Scene) -> None:
    """With its next write; the model's stream is closed, and what it says after that is lost."""
    closed: list[bool] = []

    async def ask() -> AsyncGenerator[ModelEvent, None]:
        try:
            yield TextDelta("one ")
            vault.keyring.destroy(OWNER)
            while True:
                yield TextDelta("more ")
        finally:
            closed.append(True)

    async def paced(_: Request, __: Beginning) -> AsyncGenerator[ModelEvent, None]:
        import asyncio

        async for event in ask():
            yield event
            await asyncio.sleep(0)

    head = scene.accepted()
    claimed = scene.claim(head.id, alone=True)

    with pytest.raises(OwnerDeleted):
        scene.run(claimed, paced)

    assert closed == [True]
    assert not any(item["part"]["S"] == "output" for item in aws.contents(vault.table))


def test_the_sweeper_buries_what_was_open(vault: Vault, scene: Scene) -> None:
    """Begun or still queued, in the bucket or not: only tombstones are left. Others' work goes on."""
    begun, queued = scene.accepted(), scene.accepted()
    scene.said(begun, TextDelta("half "))
    other = scene.accept("bob", Request(model="simulator", input=[], background=True))
    vault.keyring.destroy(OWNER)

    scene.sweep(after=120)
    assert all(attributes <= TOMBSTONE for attributes in parts_of(vault, begun))

    scene.sweep(after=DAY - 600)
    claimed = scene.claimed(other)
    scene.sweep(after=600)
    assert all(attributes <= TOMBSTONE for attributes in parts_of(vault, queued))
    assert vault.objects(begun.id) == vault.objects(queued.id) == []
    assert scene.stores.responses.head(other.id) is not None
    assert claimed.answer.end is None


def test_another_owners_responses_are_untouched(vault: Vault, scene: Scene) -> None:
    """Ended or running, read warm or cold."""
    asked = Request(model="simulator", input=[], background=True)
    ended, running = scene.accept("bob", asked), scene.accept("bob", asked)
    scene.ended(ended)
    scene.said(running, TextDelta("half "))
    before = [scene.read("bob", head.id) for head in (ended, running)]

    vault.keyring.destroy(OWNER)
    vault.clock.advance(CACHE_SECONDS)

    assert [scene.read("bob", head.id) for head in (ended, running)] == before


def test_a_response_written_under_two_keys_reads_as_one(vault: Vault, scene: Scene) -> None:
    """A rotation may fall into the middle of an answer."""
    head = scene.accepted()
    claimed = scene.said(head, *HELLO[:1])
    vault.keyring.rotate(OWNER)
    vault.clock.advance(1)
    claimed.give_back()
    scene.said(head, TextDelta("again"), STOP).finish()

    scene.use(vault.stores(vault.process()))

    assert scene.shown(head)["status"] == "completed"
    versions = {
        int.from_bytes(item["payload"]["B"][1:5])
        for item in aws.contents(vault.table)
        if item["part"]["S"].startswith("log#")
    }
    assert versions == {1, 2}


def test_without_the_key_service_nothing_is_half_accepted(vault: Vault, scene: Scene) -> None:
    """The caller is told to come back, and finds nothing in the way then."""
    vault.kms.error = kms_error("ThrottlingException")

    with pytest.raises(Unavailable):
        scene.accept(OWNER, Request(model="simulator", input=[], instructions="x" * 900))

    assert (aws.contents(vault.table), vault.objects(), vault.wrapped(OWNER)) == ([], [], {})
    assert scene.queue.sent == []
