"""What can happen between any two calls of an operation's: it dies there, or others act."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

from meanwhile.domain.errors import ServiceError
from meanwhile.domain.threads import Entry, ThreadBatch
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores, Threads
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.threads import ThreadStore
from tests.support.faults import Crash

_REPEATED = {"append", "begin", "create", "keep", "lock", "mark_deleted", "moved", "release"}
"""Conditional writes: what the AWS library sends again when an answer was lost."""
_OWN_WORDS = {"nonce_of", "under"}
"""What each store answers in its own way."""


class Accidents:
    """Counts down to the call at which something happens, once."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Let nothing happen."""
        self._left = 0
        self._what: Callable[[], None] | None = None
        self._late = False
        self._lost = False

    def plan(self, at: int, what: Callable[[], None], *, late: bool = False) -> None:
        """Let this happen before the call number `at` from now, or right after it."""
        self._left, self._what, self._late = at, what, late

    def lose_an_answer(self) -> None:
        """Let the next conditional write succeed, and its answer get lost: then it is sent again."""
        self._lost = True

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call, and let happen what is planned for it."""
        if self._lost and name in _REPEATED:
            self._lost = False
            call()
        self._left -= 1
        what = self._what if self._left == 0 else None
        if what and not self._late:
            self.clear()
            what()
        answer = call()
        if what and self._late:
            self.clear()
            what()
        return answer

    def over(self, *stores: Stores) -> Stores:
        """Return stores that call all of `stores` alike, and insist on the same answers from each."""
        return Stores(
            cast("ResponseStore", _Together([s.responses for s in stores], self)),
            cast("LeaseStore", _Together([s.leases for s in stores], self)),
            cast("LogStore", _Together([s.log for s in stores], self)),
            cast("MarkStore", _Together([s.marks for s in stores], self)),
        )

    def over_threads(self, *threads: Threads) -> Threads:
        """Return the same of threads."""
        return Threads(
            cast("ThreadStore", _Together([t.heads for t in threads], self)),
            cast("ThreadLog", _Together([t.log for t in threads], self)),
            cast("ThreadBurial", _Together([t.burial for t in threads], self)),
            cast("ThreadBirth", _Together([t.birth for t in threads], self)),
        )


def die() -> None:
    """End the process."""
    raise Crash


class _Together:
    def __init__(self, stores: list[Any], accidents: Accidents) -> None:
        self._stores = stores
        self._accidents = accidents

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._accidents.around(name, lambda: self._call(name, args, kwargs))

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        answers = [
            _answer(getattr(store, name), tuple(_of(index, arg) for arg in args), kwargs)
            for index, store in enumerate(self._stores)
        ]
        first = answers[0]
        for other in answers[1:]:
            assert name in _OWN_WORDS or _comparable(other) == _comparable(first), f"{name}: {other}, {first}"
        if isinstance(first, ServiceError):
            raise first
        if isinstance(first, _Listed):
            return iter(first.rows)
        return _merged(answers)


class _Listed:
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __repr__(self) -> str:
        return repr(self.rows)


def _answer(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        answer = call(*args, **kwargs)
        return _Listed(list(answer)) if isinstance(answer, Iterator) else answer
    except ServiceError as error:
        return error


def _comparable(answer: Any) -> Any:
    if isinstance(answer, _Listed):
        return answer.rows
    return type(answer) if isinstance(answer, ServiceError) else answer


def _merged(answers: list[Any]) -> Any:
    """Return the answer of all, in which every store finds its own notes again."""
    first = answers[0]
    if isinstance(first, Entry):
        return replace(first, kept=tuple(each.kept for each in answers))
    if isinstance(first, ThreadBatch):
        entries = tuple(_merged(list(each)) for each in zip(*(a.entries for a in answers), strict=True))
        return replace(first, entries=entries, kept=tuple(each.kept for each in answers))
    if isinstance(first, list):
        return [_merged(list(each)) for each in zip(*answers, strict=True)]
    return first


def _of(index: int, said: Any) -> Any:
    """Return what is said to one store, with its own notes."""
    if isinstance(said, Entry):
        return replace(said, kept=said.kept[index])
    if isinstance(said, ThreadBatch):
        entries = tuple(_of(index, entry) for entry in said.entries)
        return replace(said, entries=entries, kept=said.kept[index])
    if isinstance(said, list | tuple) and any(isinstance(each, Entry | ThreadBatch) for each in said):
        return type(said)(_of(index, each) for each in said)
    return said
