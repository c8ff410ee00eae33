"""The response log in the table: appended by compare-and-set on position, read in order."""

from typing import Any

from meanwhile.domain.errors import LogCorrupt, SlotTaken
from meanwhile.domain.facts import from_compact, to_compact
from meanwhile.domain.log import Batch
from meanwhile.storage.payload import pack, unpack
from meanwhile.storage.table import Conflict, Item, errors_translated

LOG = "log#"
_LAST = f"{LOG}999999"


def part_of(number: int) -> str:
    """Return the range key of a batch."""
    return f"{LOG}{number:06d}"


class LogStore:
    """Batches of facts under a response's id."""

    def __init__(self, items: type[Item]) -> None:
        self._items = items

    def append(self, response_id: str, batch: Batch, *, expires_at: int) -> None:
        """Put a batch in its place: one request, one write unit a kilobyte.

        A repeated append of the same batch succeeds: the nonce tells a write whose answer was lost from
        one that somebody else made.

        Raises:
            SlotTaken: Another batch, or a tombstone, stands there.
        """
        item = self._items(
            response_id,
            part_of(batch.number),
            expires_at=expires_at,
            epoch=batch.epoch,
            first_seq=batch.first_seq,
            count=len(batch.facts),
            nonce=batch.nonce,
        )
        if batch.facts:
            item.payload = pack([to_compact(fact) for fact in batch.facts])
        try:
            with errors_translated():
                item.save(condition=self._items.response_id.does_not_exist())
        except Conflict as conflict:
            if self._nonce_at(response_id, batch.number) != batch.nonce:
                raise SlotTaken(f"batch {batch.number}") from conflict

    def read(self, response_id: str, *, after: int = -1) -> list[Batch]:
        """Return every batch behind number `after`, strongly consistent, in order."""
        with errors_translated():
            found = self._items.query(
                response_id,
                self._items.part.between(part_of(after + 1), _LAST),
                consistent_read=True,
            )
            return [to_batch(item) for item in found if not item.deleted]

    def _nonce_at(self, response_id: str, number: int) -> str | None:
        with errors_translated():
            try:
                there = self._items.get(response_id, part_of(number), consistent_read=True)
            except self._items.DoesNotExist:
                return None
        return there.nonce


def to_batch(item: Item) -> Batch:
    """Return the batch an item holds.

    Raises:
        LogCorrupt: Its facts are not those it was written with.
    """
    facts: list[Any] = unpack(item.payload) if item.payload else []
    if len(facts) != item.count:
        raise LogCorrupt(f"a batch of {len(facts)} facts that should hold {item.count}")
    return Batch(
        number=int(item.part.removeprefix(LOG)),
        epoch=int(item.epoch or 0),
        first_seq=int(item.first_seq or 0),
        facts=tuple(from_compact(fact) for fact in facts),
        nonce=item.nonce or "",
    )
