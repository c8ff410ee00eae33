"""Make a conversation: its first items, and then what says that it is there; under a key all at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from meanwhile.domain.errors import SlotTaken, Unavailable
from meanwhile.domain.ids import new_nonce
from meanwhile.domain.paths import Path
from meanwhile.domain.threads import About, NewItem, ThreadHead
from meanwhile.storage.stores import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Makes conversations, those that begin anew and those that branch off."""

    threads: Threads
    now: Callable[[], float]

    def __call__(
        self,
        owner: str,
        path: Path,
        about: About,
        items: Sequence[NewItem],
        *,
        before: int | None,
        asked: str | None = None,
    ) -> tuple[ThreadHead, About]:
        """Make it; what stands before its first own item costs `before` tokens to read, at the most.

        `asked` is for one whose id a key has named: whoever makes it too makes nothing.

        Raises:
            SlotTaken: Only with `asked`: there is one already, or what is left of it.
            OwnerDeleted: The owner's key is destroyed.
        """
        now = self.now()
        head = ThreadHead(
            id=path.thread,
            owner=owner,
            path=path,
            created_at=now,
            active_at=now,
            tip=path.start + len(items),
            tokens=None if before is None else before + sum(item.tokens for item in items),
            asked=asked,
        )
        about = replace(about, version=1, created_at=now)
        if asked is None:
            self._put(head, about, items)
        elif not self.threads.birth.create(head, about, items, new_nonce()):
            raise SlotTaken(head.id)
        return head, about

    def _put(self, head: ThreadHead, about: About, items: Sequence[NewItem]) -> None:
        if items:
            first = head.path.start
            try:
                self.threads.log.append(head.owner, head.id, first, items, new_nonce(), findable=True)
            except SlotTaken as taken:  # its id is new: nobody else can write there
                raise Unavailable("a new conversation is not empty") from taken
        self.threads.heads.create(head, about)
