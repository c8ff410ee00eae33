"""The response log in the table: appended by compare-and-set on position, read in order."""

from meanwhile.domain.errors import SlotTaken
from meanwhile.domain.facts import from_compact, to_compact
from meanwhile.domain.log import Batch
from meanwhile.domain.response import Head
from meanwhile.storage.cipher import Seal
from meanwhile.storage.dynamodb import Conflict, errors_translated
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.payload import pack, unpack
from meanwhile.storage.table import Item

LOG = "log#"
_LAST = f"{LOG}999999"


def part_of(number: int) -> str:
    """Return the range key of a batch."""
    return f"{LOG}{number:06d}"


class LogStore:
    """Batches of facts under a response's id."""

    def __init__(self, items: type[Item], keyring: Keyring) -> None:
        self._items = items
        self._keyring = keyring

    def append(self, head: Head, batch: Batch) -> None:
        """Put a batch in its place: one request, one write unit a kilobyte.

        A repeated append of the same batch succeeds: the nonce tells a write whose answer was lost from
        one that somebody else made.

        Raises:
            SlotTaken: Another batch, or a tombstone, stands there.
            OwnerDeleted: The owner's key is destroyed.
        """
        item = self._items(
            head.id,
            part_of(batch.number),
            expires_at=head.expires_at,
            epoch=batch.epoch,
            first_seq=batch.first_seq,
            count=len(batch.facts),
            nonce=batch.nonce,
        )
        content = [batch.proof, *map(to_compact, batch.facts)]
        item.payload = self._keyring.seal(head.owner, head.id).close(pack(content), *_place(item))
        try:
            with errors_translated():
                item.save(condition=self._items.response_id.does_not_exist())
        except Conflict as conflict:
            if self._nonce_at(head.id, batch.number) != batch.nonce:
                raise SlotTaken(f"batch {batch.number}") from conflict

    def read(
        self, head: Head, *, after: int = -1, at_most: int | None = None, consistent: bool = True
    ) -> list[Batch]:
        """Return the batches behind number `after`, in order; no more than `at_most` of them.

        A read that need not be consistent costs half. The newest batches may be missing in it, and, as far
        as DynamoDB promises, one in the middle.

        Raises:
            Tampered: A batch is not what was written there.
            OwnerDeleted: The owner's key is destroyed.
        """
        seal = self._keyring.seal(head.owner, head.id)
        with errors_translated():
            between = self._items.part.between(part_of(after + 1), _LAST)
            found = list(self._items.query(head.id, between, consistent_read=consistent, limit=at_most))
        return [to_batch(item, seal) for item in found if not item.deleted]

    def _nonce_at(self, response_id: str, number: int) -> str | None:
        with errors_translated():
            try:
                there = self._items.get(response_id, part_of(number), consistent_read=True)
            except self._items.DoesNotExist:
                return None
        return there.nonce


def to_batch(item: Item, seal: Seal) -> Batch:
    """Return the batch an item holds.

    Raises:
        Tampered: It is not what was written there.
    """
    proof, *facts = unpack(seal.open(item.payload or b"", *_place(item)))
    return Batch(
        number=int(item.part.removeprefix(LOG)),
        epoch=int(item.epoch or 0),
        first_seq=int(item.first_seq or 0),
        facts=tuple(from_compact(fact) for fact in facts),
        nonce=item.nonce or "",
        proof=proof,
    )


def _place(item: Item) -> tuple[str | int, ...]:
    """Return what a batch's content is bound to: its number and everything that stands in the clear."""
    return item.part, int(item.epoch or 0), int(item.first_seq or 0), int(item.count or 0), item.nonce or ""
