"""Watches: small items that say which streams an owner has open, the oldest first.

A stream holds one execution of a function for as long as it watches, also when its client has left. So they
are counted, and a new one takes the place of the oldest beyond a few. All of an owner's are in one partition
that is named after the owner; none of them holds content. A watch whose stream died expires by itself, and
the next one removes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from meanwhile.domain.ids import new_nonce
from meanwhile.storage.dynamodb import Conflict, errors_translated
from meanwhile.storage.table import Item

_WATCH = "watch#"
_AT_ONCE = 24
"""Items that one batch write removes besides putting one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a watch stands in its owner's list."""

    owner: str
    part: str


class WatchStore:
    """The open streams of every owner. Times come from the caller's clock, in seconds."""

    def __init__(self, items: type[Item]) -> None:
        self._items = items

    def begin(
        self, owner: str, response_id: str, *, now: float, until: float, per_response: int, per_owner: int
    ) -> Place:
        """Add a watch: one read and one write. It displaces the oldest where there would be too many.

        Two that begin at the same moment may both find room for one; the next puts that right.
        """
        items, name = self._items, _name(owner)
        with errors_translated():
            found = list(items.query(name, items.part.startswith(_WATCH), consistent_read=True))
        mine = items(
            name, f"{_WATCH}{round(now * 1000):013d}#{new_nonce()}", made=response_id, expires_at=_up(until)
        )
        too_many = _too_many(found, response_id, now=now, per_response=per_response, per_owner=per_owner)
        with errors_translated(), items.batch_write() as batch:
            batch.save(mine)
            for item in too_many[:_AT_ONCE]:
                batch.delete(item)
        return Place(owner, mine.part)

    def renew(self, place: Place, *, until: float) -> bool:
        """Keep a watch for longer; `False` if a newer one has displaced it."""
        items = self._items
        try:
            with errors_translated():
                items(_name(place.owner), place.part).update(
                    actions=[items.expires_at.set(_up(until))], condition=items.part.exists()
                )
        except Conflict:
            return False
        return True

    def end(self, place: Place) -> None:
        """Remove a watch, if it is there."""
        with errors_translated(), self._items.batch_write() as batch:
            batch.delete(self._items(_name(place.owner), place.part))


def _too_many(
    found: Sequence[Item], response_id: str, *, now: float, per_response: int, per_owner: int
) -> list[Item]:
    """Return those that are over, and the oldest that have to make room for one more."""
    over = [item for item in found if item.expires_at <= now]
    live = [item for item in found if item.expires_at > now]
    same = [item for item in live if item.made == response_id]
    displaced = same[: max(0, len(same) + 1 - per_response)]
    others = [item for item in live if item not in displaced]
    displaced += others[: max(0, len(others) + 1 - per_owner)]
    return displaced + over


def _name(owner: str) -> str:
    return f"watches_{owner}"


def _up(seconds: float) -> int:
    return int(seconds) + 1
