"""Threads over stores in memory, and what a model with a small window is shown of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from meanwhile.domain.ids import new_id
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.domain.threads import NewItem, Place
from meanwhile.domain.window import Window
from meanwhile.operations.context.build import Context, Shown
from meanwhile.operations.context.choose import Measure
from meanwhile.operations.context.fit import Fit
from meanwhile.operations.context.remembered import Remembered
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.forget import Forget
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.stores import Threads
from tests.support.clock import Clock
from tests.support.compacting import EXPAND
from tests.support.thread_twin import twin_threads
from tests.support.twin import twin_stores

OWNER = "ada"
DAY = 86_400
BYTES_A_TOKEN = 4
"""Between the bound that costs nothing and the count."""


def said(text: str, role: str = "user", item_id: str | None = None) -> Json:
    """Return a message; it costs as many tokens as it has characters."""
    return {
        "id": item_id or f"msg_{text}",
        "type": "message",
        "role": role,
        "content": [{"type": "input_text" if role == "user" else "output_text", "text": text}],
    }


def called(call_id: str) -> Json:
    """Return a call of three tokens."""
    return {
        "id": f"fc_{call_id}",
        "type": "function_call",
        "call_id": call_id,
        "name": "f",
        "arguments": "{}",
    }


def returned(call_id: str) -> Json:
    """Return a call's output, of three tokens."""
    return {"id": f"fco_{call_id}", "type": "function_call_output", "call_id": call_id, "output": "x"}


def size_of(item: Json) -> int:
    """Return what an item costs: a message its characters, anything else three."""
    if item["type"] != "message":
        return 3
    return sum(len(part.get("text", "image")) for part in item["content"])


def new(*items: Json) -> list[NewItem]:
    """Return items to add."""
    return [NewItem(content=item, tokens=size_of(item)) for item in items]


class Counting:
    """Stands before a store of threads, and counts what is asked of it."""

    def __init__(self, store: Any, calls: list[str]) -> None:
        self._store, self._calls = store, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def counted(*args: Any, **more: Any) -> Any:
            self._calls.extend([f"open {entry.id}" for entry in args[1]] if name == "open" else [name])
            return found(*args, **more)

        return counted


class Reading:
    """One place where threads are read."""

    def __init__(
        self,
        window: int = 1_000,
        *,
        is_known: bool = True,
        sees_images: bool = True,
        reads_files: bool = True,
    ) -> None:
        self.clock, self.stores, self.calls = Clock(), twin_stores(), list[str]()
        twins = twin_threads()
        self.threads = Threads(
            cast("Any", Counting(twins.heads, self.calls)),
            cast("Any", Counting(twins.log, self.calls)),
            twins.burial,
            twins.birth,
        )
        self.window = Window(
            tokens=window, answer=0, is_known=is_known, sees_images=sees_images, reads_files=reads_files
        )
        self.counted = 0
        self.is_short = False
        self.recall = Recall(threads=self.threads)
        self.measure = Measure(
            window=lambda _: self.window,
            at_most=lambda request: BYTES_A_TOKEN * self._own(request),
            count=self._count,
        )
        self.fit = Fit(recall=self.recall, measure=self.measure, expand=EXPAND)
        join = Join(
            threads=self.threads,
            responses=self.stores.responses,
            recall=self.recall,
            count=lambda _owner, _model, item: size_of(item),
            now=self.clock,
        )
        self.ending = Ending(stores=self.stores, now=self.clock, unstored_retention_seconds=600, join=join)
        self.read = Read(stores=self.stores, ending=self.ending, now=self.clock)
        self.all = Conversing.over(join, self.read, now=self.clock, kept_seconds=30 * DAY, fit=self.fit)
        self.forget = Forget(threads=self.threads, now=self.clock)
        self.restart()

    def restart(self, most_bytes: int = 10**6) -> None:
        """Go on in a process that remembers nothing."""
        self.context = self.cold(most_bytes)
        self.remembered = self.context.remembered

    def cold(self, most_bytes: int = 10**6) -> Context:
        """Return another process that remembers nothing."""
        return Context(
            recall=self.recall,
            measure=self.measure,
            expand=EXPAND,
            remembered=Remembered(
                most_bytes=most_bytes, seconds=300, now=self.clock, is_short=lambda: self.is_short
            ),
        )

    def talk(self, *items: Json, pinned: Sequence[str] = ()) -> str:
        """Make a conversation, each item in a batch of its own."""
        made = self.all.conversations.create(OWNER)
        for item in items:
            self.add(made.id, item)
        if pinned:
            self.pin(made.id, *pinned)
        return made.id

    def add(self, conversation: str, *items: Json) -> None:
        """Add items in one batch."""
        self.all.add(OWNER, conversation, new(*items))

    def pin(self, conversation: str, *item_ids: str) -> None:
        """Pin items of a conversation."""
        self.all.conversations.update(
            OWNER, conversation, lambda about: replace(about, pinned=tuple(item_ids))
        )

    def asked(self, *items: Json, truncation: str = "auto", **about: Any) -> Request:
        """Return a request with its place."""
        head = self.accepted(*items, truncation=truncation, **about)
        record = self.stores.responses.record(head.id)
        assert record
        assert record.request
        if head.thread is not None and "conversation" in about:
            self.threads.heads.release(head.thread, head.id)
        return record.request

    def accepted(self, *items: Json, truncation: str = "auto", **about: Any) -> Head:
        """Accept a request."""
        created = int(self.clock())
        head = Head(
            id=new_id("resp"),
            owner=OWNER,
            created_at=created,
            background=True,
            store=True,
            expires_at=created + 30 * DAY,
        )
        request = Request(model="m", input=list(items), truncation=truncation, **about)
        head, request = self.all.resolve(head, request)
        self.stores.responses.accept(head, request)
        return head

    def ended(self, head: Head) -> str:
        """End a response without an answer."""
        self.ending.decide(head, Ended(status=Status.COMPLETED, at=int(self.clock())))
        return head.id

    def shown(self, *items: Json, **about: Any) -> Shown:
        """Return what a model is shown of a new request."""
        request = self.asked(*items, **about)
        self.calls.clear()
        return self.context(OWNER, request)

    def texts(self, *items: Json, **about: Any) -> list[str]:
        """Return the same in short."""
        return [short(item) for item in self.shown(*items, **about).request.input]

    def place(self, request: Request) -> Place:
        """Return where a request runs."""
        return Place.from_json(request.place or {})

    def _own(self, request: Request) -> int:
        return sum(map(size_of, request.input))

    def _count(self, request: Request) -> int:
        self.counted += 1
        return self._own(request)


def short(item: Json) -> str:
    """Return an item's text, or which call it is about."""
    if item["type"] == "message":
        return "".join(part.get("text", "image") for part in item["content"])
    return f"{item['type'].removeprefix('function_')} {item.get('call_id', '')}".strip()
