"""Everything that can be done with threads, as one value to hand around."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.add_items import AddItems
from meanwhile.operations.threads.add_once import AddOnce
from meanwhile.operations.threads.conversations import Conversations
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.items import Items
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.lock import Lock
from meanwhile.operations.threads.make import Make
from meanwhile.operations.threads.make_once import MakeOnce
from meanwhile.operations.threads.recall import Recall
from meanwhile.operations.threads.resolve import Resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversing:
    """The operations on threads, over the same stores and the same clock."""

    conversations: Conversations
    items: Items
    make_once: MakeOnce
    add: AddItems
    add_once: AddOnce
    recall: Recall
    lock: Lock
    resolve: Resolve

    @classmethod
    def over(
        cls,
        join: Join,
        read: Read,
        *,
        now: Callable[[], float],
        kept_seconds: float,
        key_seconds: float = 86_400,
        retry_seconds: float = 900,
        fit: Callable[[Head, Request], None] | None = None,
    ) -> Self:
        """Return them for what ends and what reads responses.

        `kept_seconds` and `fit` as in `Resolve`, `key_seconds` and `retry_seconds` as in `AddOnce`.
        """
        threads, recall = join.threads, join.recall
        conversations = Conversations(threads=threads, make=Make(threads=threads, now=now), now=now)
        lock = Lock(threads=threads, stores=read.stores, ending=read.ending, now=now)
        items = Items(threads=threads, conversations=conversations, recall=recall, lock=lock, now=now)
        add = AddItems(threads=threads, conversations=conversations, recall=recall, lock=lock, now=now)
        return cls(
            conversations=conversations,
            items=items,
            make_once=MakeOnce(threads=threads, conversations=conversations, items=items),
            add=add,
            add_once=AddOnce(
                marks=read.stores.marks,
                add=add,
                now=now,
                key_seconds=key_seconds,
                retry_seconds=retry_seconds,
            ),
            recall=recall,
            lock=lock,
            resolve=Resolve(
                threads=threads,
                read=read,
                recall=recall,
                join=join,
                lock=lock,
                forget=Forget(threads=threads, now=now),
                now=now,
                kept_seconds=kept_seconds,
                fit=fit,
            ),
        )
