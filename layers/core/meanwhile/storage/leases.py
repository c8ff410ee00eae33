"""Leases: who may write to a response's log. One small item each, updated by compare-and-set."""

from collections.abc import Sequence

from meanwhile.domain.errors import ClaimLost, ClaimRefused, Gone, LeaseHeld, NotYet, RunsAlone
from meanwhile.domain.response import SHARED_WALLS, Head, Lease
from meanwhile.storage.dynamodb import Conflict, errors_translated, rows_at
from meanwhile.storage.table import LEASE, Item


class LeaseStore:
    """The lease items. Times come from the caller's clock, in seconds."""

    def __init__(self, items: type[Item]) -> None:
        self._items = items

    def read(self, response_id: str) -> Lease | None:
        """Return the lease, strongly consistent, or `None` if there is none any more."""
        item = self._get(response_id)
        return to_lease(item) if item and not item.deleted else None

    def claim(self, response_id: str, *, now: float, until: float, nonce: str, alone: bool) -> Lease:
        """Take the response: the epoch goes up by one, and with it everybody else's claim ends.

        `alone` says that nothing else runs beside it, so a response that was tried before may be taken.

        Raises:
            LeaseHeld: Somebody's lease lives.
            NotYet: It was given back until a later time.
            RunsAlone: It was tried before, or needs an invocation to itself.
            Gone: The item is not there, or only its tombstone.
        """
        items = self._items
        condition = items.response_id.exists() & items.deleted.does_not_exist() & (items.until <= _ms(now))
        condition &= items.not_before.does_not_exist() | (items.not_before <= _ms(now))
        if not alone:
            condition &= (items.attempts == 0) & (items.walls < SHARED_WALLS)
        item = items(response_id, LEASE)
        try:
            with errors_translated():
                item.update(
                    actions=[
                        items.epoch.set(items.epoch + 1),
                        items.attempts.set(items.attempts + 1),
                        items.until.set(_ms(until)),
                        items.first_claimed_at.set(items.first_claimed_at | _ms(now)),
                        items.nonce.set(nonce),
                    ],
                    condition=condition,
                )
        except Conflict as conflict:
            there = self._get(response_id)
            if there is None or there.deleted:
                raise Gone(response_id) from conflict
            if there.nonce != nonce:
                raise _refusal(to_lease(there), response_id, now) from conflict
            item = there
        return to_lease(item)

    def renew(self, response_id: str, *, epoch: int, until: float) -> Lease:
        """Keep a claim for longer, and learn who watches.

        Raises:
            ClaimLost: The epoch is not ours any more, or the lease was given back.
        """
        items = self._items
        return self._update_held(response_id, epoch, items.until.set(_ms(until)))

    def give_back(
        self, response_id: str, lease: Lease, *, met_wall: bool = False, not_before: float = 0
    ) -> None:
        """End a claim on purpose, so that it does not count as an attempt; the next may follow `not_before`.

        Values are set, not counted, so that a repeated write changes nothing.

        Raises:
            ClaimLost: The epoch is not ours any more.
        """
        items = self._items
        try:
            self._update_held(
                response_id,
                lease.epoch,
                items.until.set(0),
                items.attempts.set(lease.attempts - 1),
                items.walls.set(lease.walls + int(met_wall)),
                items.not_before.set(_ms(not_before)),
            )
        except ClaimLost:
            there = self.read(response_id)
            if there is None or there.epoch != lease.epoch:
                raise
            # Given back already: the answer to that was lost.

    def watch(self, response_id: str, *, until: float) -> None:
        """Say that somebody reads along; whoever holds the lease learns it with the next heartbeat.

        Of several who say so the last one counts: all say the same, give or take a second.
        """
        items = self._items
        try:
            with errors_translated():
                items(response_id, LEASE).update(
                    actions=[items.watched_until.set(_ms(until))],
                    condition=items.response_id.exists() & items.deleted.does_not_exist(),
                )
        except Conflict:
            return  # deleted: there is nothing to read

    def claimed(self, response_ids: Sequence[str]) -> set[str]:
        """Return which of up to 100 responses a worker has ever claimed: those have left the queue."""
        if not response_ids:
            return set()
        found = rows_at(self._items, [(response_id, LEASE) for response_id in response_ids])
        return {item.response_id for item in found if item.first_claimed_at is not None}

    def fence_off(self, response_id: str) -> None:
        """Raise the epoch, so that whoever holds the lease loses it with the next heartbeat.

        It may be claimed at once: what made it wait does not matter any more.
        """
        items = self._items
        try:
            with errors_translated():
                items(response_id, LEASE).update(
                    actions=[
                        items.epoch.set(items.epoch + 1),
                        items.until.set(0),
                        items.not_before.set(0),
                    ],
                    condition=items.response_id.exists() & items.deleted.does_not_exist(),
                )
        except Conflict:
            return  # deleted: nobody holds it

    def _update_held(self, response_id: str, epoch: int, *actions: object) -> Lease:
        items = self._items
        item = items(response_id, LEASE)
        try:
            with errors_translated():
                item.update(actions=list(actions), condition=(items.epoch == epoch) & (items.until > 0))  # type: ignore[arg-type]  # actions of one library
        except Conflict as conflict:
            raise ClaimLost(response_id) from conflict
        return to_lease(item)

    def _get(self, response_id: str) -> Item | None:
        with errors_translated():
            try:
                return self._items.get(response_id, LEASE, consistent_read=True)
            except self._items.DoesNotExist:
                return None


def new_lease(items: type[Item], head: Head, *, watched_until: float) -> Item:
    """Return the lease of a response that is accepted now: nobody's, and maybe watched from the start."""
    item = items(head.id, LEASE, expires_at=head.expires_at, epoch=0, until=0, attempts=0, walls=0)
    if watched_until:
        item.watched_until = _ms(watched_until)
    return item


def to_lease(item: Item) -> Lease:
    """Return the lease an item holds."""
    first = item.first_claimed_at
    return Lease(
        epoch=int(item.epoch or 0),
        until=(item.until or 0) / 1000,
        watched_until=(item.watched_until or 0) / 1000,
        attempts=int(item.attempts or 0),
        walls=int(item.walls or 0),
        first_claimed_at=None if first is None else first / 1000,
        not_before=(item.not_before or 0) / 1000,
    )


def _refusal(lease: Lease, response_id: str, now: float) -> ClaimRefused:
    if lease.is_live(now):
        return LeaseHeld(response_id)
    if now < lease.not_before:
        return NotYet(response_id, not_before=lease.not_before)
    return RunsAlone(response_id)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
