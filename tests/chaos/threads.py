"""What must be true of threads once nothing moves any more: each exchange is in once, nothing is held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from meanwhile.domain.errors import ServiceError
from meanwhile.domain.paths import Path
from meanwhile.domain.request import Request
from meanwhile.domain.response import Record
from meanwhile.domain.threads import Place
from meanwhile.operations.threads.join import JOINING
from meanwhile.operations.threads.recall import Recall
from tests.chaos.world import World

_ALL = 10**9


def broken_threads(world: World, heads: Sequence[str]) -> list[str]:
    """Return which promises about threads were not kept."""
    responses = world.tables.stores.responses
    records = [responses.record(each, owner=world.owner) for each in heads]
    threaded = [each for each in records if each is not None and each.head.thread is not None]
    try:
        broken = list(_broken_conversation(world, heads, threaded))
        for record in threaded:
            broken += _broken_chain(world, record)
    except ServiceError as error:
        return [f"a thread cannot be read: {error!r}"]
    return broken


def shown(world: World, request: Request) -> Request:
    """Return a request as the model sees it: with what stood before it in its thread."""
    if request.place is None:
        return request
    place, recall = Place.from_json(request.place), Recall(threads=world.tables.threads)
    entries = list(recall.down(world.owner, place.path, below=place.position))
    return replace(request, input=[*recall.open(world.owner, entries[::-1]), *request.input])


def _broken_conversation(world: World, heads: Sequence[str], records: Sequence[Record]) -> Iterator[str]:
    if world.conversation is None:
        return
    head = world.tables.threads.heads.head(world.conversation)
    if head is None:
        yield "the conversation is gone"
        return
    if head.lock is not None and head.lock in heads:
        yield "a response that has ended holds its conversation"
    want = [*world.begun, *(text for record in records for text in _added(record))]
    said = _said(world, Place(path=head.path, position=_ALL))
    if said != want:
        yield f"the conversation says {said}, and should say {want}"
    if head.tip > len(want):
        yield f"the conversation is said to be {head.tip} long, and is {len(want)}"


def _broken_chain(world: World, record: Record) -> Iterator[str]:
    """A chain says what its responses have said, in their order; one that added nothing left nothing."""
    place = Place.from_json((record.request and record.request.place) or {})
    if place.in_conversation:
        return
    responses = world.tables.stores.responses
    past = [responses.record(each, owner=world.owner) for each in world.past]
    want = [text for each in [*past, record] if each for text in _added(each)]
    said = _said(world, replace(place, position=_ALL))
    if said != want:
        yield f"the chain says {said}, and should say {want}"


def _said(world: World, place: Place) -> list[str]:
    recall = Recall(threads=world.tables.threads)
    entries = list(recall.up(world.owner, Path(place.path.stretches)))
    return [_text(item) for item in recall.open(world.owner, entries)]


def _added(record: Record) -> list[str]:
    """Return what a response should have added: all of the exchange, or nothing."""
    if record.head.status not in JOINING or record.request is None or record.result is None:
        return []
    return [_text(item) for item in [*record.request.input, *record.result["output"]]]


def _text(item: Mapping[str, Any]) -> str:
    return "".join(str(part["text"]) for part in item["content"])
