"""Each rule of threads taken out in turn: the state machine must notice, or it proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meanwhile.domain.errors import ServiceError, SlotTaken
from meanwhile.domain.threads import Reached, ThreadBatch
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.threads.add_items import AddItems
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.lock import Lock
from meanwhile.operations.threads.make_once import MakeOnce
from meanwhile.operations.threads.recall import Recall
from tests.support.hunt import hunt
from tests.support.thread_twin import TwinThreadBirth, TwinThreadBurial, TwinThreadLog
from tests.unit.test_threads import InMemory, KeysInMemory

pytestmark = pytest.mark.exhaustive


def append_overwrites(patch: pytest.MonkeyPatch) -> None:
    """Without compare-and-set."""
    original = TwinThreadLog.append

    def append(self: TwinThreadLog, owner: str, thread: str, first: int, *args: Any, **more: Any) -> Any:
        self._rows.log(thread).pop(first, None)
        return original(self, owner, thread, first, *args, **more)

    patch.setattr(TwinThreadLog, "append", append)


def nonces_ignored(patch: pytest.MonkeyPatch) -> None:
    """What is written again is taken for somebody else's."""
    original = TwinThreadLog.append

    def append(self: TwinThreadLog, owner: str, thread: str, first: int, *args: Any, **more: Any) -> Any:
        if first in self._rows.log(thread):
            raise SlotTaken
        return original(self, owner, thread, first, *args, **more)

    patch.setattr(TwinThreadLog, "append", append)


def joins_do_not_look_for_themselves(patch: pytest.MonkeyPatch) -> None:
    """A response that has joined is added behind what came after it."""
    original = Recall.tip

    def tip(self: Recall, owner: str, thread: str, start: Reached, nonce: str) -> Any:
        end, mine = original(self, owner, thread, start, nonce)
        return (end, None) if mine is None else (original(self, owner, thread, end, "nobody"))

    patch.setattr(Recall, "tip", tip)


def repeated_calls_are_not_found(patch: pytest.MonkeyPatch) -> None:
    """A call that is made again does not ask whether what it adds is there."""
    patch.setattr(AddItems, "_added_before", lambda *_: None)


def the_older_one_is_extended(patch: pytest.MonkeyPatch) -> None:
    """Whoever finds the place behind its predecessor taken goes to the tip, instead of branching off."""

    def add(self: Join, head: Any, place: Any, items: Any) -> Any:
        return self._to_conversation(head, place, items)

    patch.setattr(Join, "_add", add)


def heads_end_first(patch: pytest.MonkeyPatch) -> None:
    """Who dies between the two leaves a response that has ended, and that nobody joins any more."""
    original = Ending.finish

    def finish(self: Ending, head: Any, answer: Any) -> None:
        original(replace(self, join=None), head, answer)
        original(self, head, answer)

    patch.setattr(Ending, "finish", finish)


def failed_ones_join_too(patch: pytest.MonkeyPatch) -> None:
    """What was cancelled or has failed is added all the same."""
    patch.setattr(
        Join,
        "_items",
        lambda self, head, request, answer: (
            self.items_of(head.owner, request, answer.output()) if head else []
        ),
    )


def locks_are_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether the holder of a lock has ended."""
    patch.setattr(Lock, "_runs", lambda *_: True)


def locks_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Whoever finds a lock held takes it."""
    patch.setattr(Lock, "_runs", lambda *_: False)


def nothing_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A deleted response lives on in those that continue it."""
    patch.setattr(Forget, "__call__", lambda *_: None)


def graves_stay_open(patch: pytest.MonkeyPatch) -> None:
    """The place behind the tip of a deleted thread is not taken."""
    original = TwinThreadBurial.bury

    def bury(self: TwinThreadBurial, thread: str, **more: Any) -> bool:
        before = set(self._rows.log(thread))
        done = original(self, thread, **more)
        log = self._rows.log(thread)
        for first in set(log) - before:
            del log[first]
        return done

    patch.setattr(TwinThreadBurial, "bury", bury)


def gaps_close(patch: pytest.MonkeyPatch) -> None:
    """A deleted item does not keep its position."""
    original = TwinThreadLog.erase

    def erase(self: TwinThreadLog, owner: str, thread: str, batch: ThreadBatch, positions: Any) -> bool:
        done = original(self, owner, thread, batch, positions)
        log = self._rows.log(thread)
        left = tuple(entry for entry in log[batch.first].entries if not entry.deleted)
        log[batch.first] = replace(log[batch.first], entries=left)
        return done

    patch.setattr(TwinThreadLog, "erase", erase)


def keys_are_not_looked_up(patch: pytest.MonkeyPatch) -> None:
    """A call that comes again under its key does not ask what the key has made."""
    patch.setattr(MakeOnce, "_there", lambda *_: None)


def keys_keep_nobody_out(patch: pytest.MonkeyPatch) -> None:
    """Without a condition: whoever writes last has made it."""
    original = TwinThreadBirth.create

    def create(self: TwinThreadBirth, head: Any, *args: Any) -> bool:
        self._rows.heads.pop(head.id, None)
        self._rows.log(head.id).clear()
        return original(self, head, *args)

    patch.setattr(TwinThreadBirth, "create", create)


def retries_look_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """A retry without a name does not ask whether what it brings is there."""
    patch.setattr(AddItems, "_sent_before", lambda _self, _owner, head, *_: (head.reached, []))


@pytest.mark.parametrize(
    "sabotage",
    [
        append_overwrites,
        nonces_ignored,
        joins_do_not_look_for_themselves,
        repeated_calls_are_not_found,
        the_older_one_is_extended,
        heads_end_first,
        failed_ones_join_too,
        locks_are_for_ever,
        locks_are_not_kept,
        nothing_is_forgotten,
        graves_stay_open,
        gaps_close,
        retries_look_for_nothing,
    ],
    ids=lambda rule: rule.__name__,
)
def test_the_machine_notices_a_missing_rule(
    sabotage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule without which everything still passes is not a rule, or is not checked."""
    sabotage(monkeypatch)

    with pytest.raises((AssertionError, ServiceError, IndexError)):
        hunt(InMemory, examples=4_000)


@pytest.mark.parametrize(
    "sabotage", [keys_are_not_looked_up, keys_keep_nobody_out], ids=lambda rule: rule.__name__
)
def test_the_machine_of_keys_notices_a_missing_rule(
    sabotage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for what is made under a key."""
    sabotage(monkeypatch)

    with pytest.raises((AssertionError, ServiceError)):
        hunt(KeysInMemory, examples=4_000)
