"""The tail of a log: read on from where the last reading ended, every batch once and in order."""

from meanwhile.domain.log import Batch, Tip
from meanwhile.domain.response import Head
from meanwhile.storage.log import LogStore

AT_ONCE = 64
"""Batches of one reading: what a slow reader makes a process hold."""


class Tail:
    """One reader's place in a log."""

    def __init__(self, log: LogStore, head: Head) -> None:
        self._log = log
        self._head = head
        self._tip = Tip()

    def read(self) -> list[Batch]:
        """Return the next batches, up to `AT_ONCE`: one call, at half the price of a consistent one.

        Raises:
            Unavailable: The log could not be read; the next call begins at the same place.
            LogCorrupt: It breaks a rule.
            OwnerDeleted: The owner's key is destroyed.
        """
        behind = self._tip.number - 1
        found = self._log.read(self._head, after=behind, at_most=AT_ONCE, consistent=False)
        if [batch.number for batch in found] != [*range(behind + 1, behind + 1 + len(found))]:
            # A hole may be of this reading only; a consistent one tells.
            found = self._log.read(self._head, after=behind, at_most=AT_ONCE)
        for batch in found:
            self._tip = self._tip.after(batch)
        return found
