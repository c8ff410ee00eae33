"""What must be true of every play once nothing moves any more, whatever happened in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meanwhile.domain.errors import LogCorrupt
from meanwhile.domain.model_events import TextDelta, ToolCallDelta
from meanwhile.domain.request import Request
from meanwhile.domain.response import Status
from meanwhile.domain.wire import result_of
from meanwhile.providers.simulator import events_of
from tests.chaos.threads import broken_threads, shown
from tests.chaos.world import World
from tests.support.histories import answer_of, broken_rules, tries_of


@dataclass(slots=True)
class Judgement:
    """How a play came out."""

    statuses: list[str] = field(default_factory=list)
    """How each response ended, as its head says."""
    tries: int = 0
    """How many claims wrote to the log, at most."""
    broken: list[str] = field(default_factory=list)
    """Which promises were not kept."""


def judged(world: World) -> Judgement:
    """Look at everything that a play has left behind."""
    contents = world.tables.contents()
    heads = [item["response_id"]["S"] for item in contents if item["part"]["S"] == "head"]
    seen = Judgement(broken=list(world.wrong))
    seen.broken += [f"accepted and not there: {each}" for each in world.accepted if each not in heads]
    if len(world.accepted) != len(set(world.accepted)):
        seen.broken.append("two answers under one id")
    if len(heads) > world.requests:
        seen.broken.append(f"{len(heads)} responses to {world.requests} requests")
    if left := sum("open_shard" in item for item in contents):
        seen.broken.append(f"still in the index of what is open: {left}")
    if waiting := world.tables.waiting():
        seen.broken.append(f"messages left in the queues: {waiting}")
    if world.seen is not None and world.seen != world.visible(world.seen):
        seen.broken.append("a late write changed what readers see")
    for response_id in heads:
        named = {item["blob"]["S"] for item in contents if "blob" in item}
        try:
            seen.broken += _broken_of(world, response_id, seen)
        except LogCorrupt as error:
            seen.broken.append(f"the log cannot be read: {error}")
        seen.broken += _broken_objects(world, response_id, {key for key in named if response_id in key})
    seen.broken += broken_threads(world, heads)
    if seen.tries > 1 + world.passed() // world.tables.settings.lease_seconds:
        seen.broken.append(f"run by {seen.tries} workers, though a lease was alive")
    return seen


def _broken_of(world: World, response_id: str, seen: Judgement) -> list[str]:
    responses = world.tables.stores.responses
    found = responses.everything(response_id)
    record = responses.record(response_id, owner=world.owner)
    if found is None or record is None or found.request is None:
        return ["a head without the rest"]
    seen.statuses.append(found.head.status.value)
    seen.tries = max(seen.tries, tries_of(found.batches))
    broken = broken_rules(found.batches)
    answer = answer_of(response_id, found.batches)
    if answer.end is None:
        return [*broken, "the log has no end"]
    if found.head.status is not answer.end.status:
        broken.append(f"the head says {found.head.status}, the log {answer.end.status}")
    if record.result is None:
        return [*broken, "no output"]
    if record.result != result_of(answer, answer.end):
        broken.append("the output says something else than the log")
    if answer.end.status not in {Status.COMPLETED, Status.CANCELLED if world.asked_to_cancel else None}:
        broken.append(f"ended as {answer.end.status}: {answer.end.code}")
    broken += _broken_words(shown(world, found.request), record.result, answer.end.status)
    if response_id not in world.past:
        broken += _broken_cancels(world, answer.end.status)
    return broken


def _broken_objects(world: World, response_id: str, named: set[str]) -> list[str]:
    """Compare items and bucket. Who dies between the two leaves an object, which goes with the response."""
    there = set(world.tables.objects(response_id))
    return ["objects and items disagree"] if named - there or (not world.struck and there - named) else []


def _broken_words(request: Request, result: Mapping[str, Any], status: Status) -> list[str]:
    """Compare what its owner gets with what the model says to that: all of it, or how it began."""
    said = list(events_of(request))
    text = "".join(event.text for event in said if isinstance(event, TextDelta))
    arguments = "".join(event.arguments for event in said if isinstance(event, ToolCallDelta))
    items = result["output"]
    got_text = "".join(part["text"] for item in items for part in item.get("content", ()))
    got_arguments = "".join(item.get("arguments", "") for item in items)
    if status is Status.COMPLETED:
        good = (got_text, got_arguments) == (text, arguments)
    else:
        good = text.startswith(got_text) and arguments.startswith(got_arguments)
    return [] if good else [f"the model said {text + arguments!r}, kept is {got_text + got_arguments!r}"]


def _broken_cancels(world: World, status: Status) -> list[str]:
    """What the owner was told of a cancel is what came of it."""
    return [
        f"a cancel was answered {told}, and the response is {status}"
        for told in world.cancels
        if (told == "cancelled" and status is not Status.CANCELLED)
        or (told == "NotCancellable" and status is Status.CANCELLED)
    ]
