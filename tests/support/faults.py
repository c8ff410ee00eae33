"""What can go wrong between a worker and the table, done to any stores at any call."""

from collections.abc import Callable
from typing import Any, cast

from meanwhile.domain.errors import ServiceError
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores

_REPEATED = {"append", "claim", "renew", "give_back", "end", "postpone"}
"""Conditional writes: what the AWS library sends again when an answer was lost."""


class Crash(BaseException):
    """The process dies here; nothing after it happens."""


class Faults:
    """Switches for the next call: what happens before it, or that its answer is lost."""

    def __init__(self) -> None:
        self.interlude: Callable[[], None] | None = None
        """Runs once, right before the next append reaches the table: a pause of any length."""
        self.answer_lost = False
        """The next conditional write succeeds, its answer is lost, and it is sent again."""
        self.crash_before_end = False
        """The process dies between the end of the log and the head."""

    def over(self, *stores: Stores) -> Stores:
        """Return stores that call all of `stores` alike, and insist on the same answers from each."""
        return Stores(
            cast("ResponseStore", _Together([s.responses for s in stores], self)),
            cast("LeaseStore", _Together([s.leases for s in stores], self)),
            cast("LogStore", _Together([s.log for s in stores], self)),
            cast("MarkStore", _Together([s.marks for s in stores], self)),
        )


class _Together:
    def __init__(self, stores: list[Any], faults: Faults) -> None:
        self._stores = stores
        self._faults = faults

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._call(name, args, kwargs)

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        faults = self._faults
        if name == "append" and faults.interlude:
            interlude, faults.interlude = faults.interlude, None
            interlude()
        if name == "end" and faults.crash_before_end:
            faults.crash_before_end = False
            raise Crash
        twice = faults.answer_lost and name in _REPEATED
        if twice:
            faults.answer_lost = False
        answers = [_answer(getattr(store, name), args, kwargs, twice=twice) for store in self._stores]
        first = answers[0]
        for other in answers[1:]:
            assert _comparable(other) == _comparable(first), f"{name}: {other} beside {first}"
        if isinstance(first, ServiceError):
            raise first
        return first


def _answer(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, twice: bool) -> Any:
    try:
        first = call(*args, **kwargs)
        if not twice or first is False:
            return first
        return call(*args, **kwargs) if first is not True else first
    except ServiceError as error:
        return error


def _comparable(answer: Any) -> Any:
    return type(answer) if isinstance(answer, ServiceError) else answer
