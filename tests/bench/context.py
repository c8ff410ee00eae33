"""What it costs to find out what a model is shown, of threads of any length; and calls of conversations."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import botocore.httpsession
import pytest

from meanwhile.domain.ids import new_id
from meanwhile.domain.paths import CONVERSATION, Path
from meanwhile.domain.request import Request
from meanwhile.domain.threads import About, NewItem, Place, ThreadHead
from meanwhile.domain.window import Window
from meanwhile.operations.context.build import Context
from meanwhile.operations.context.choose import Measure
from meanwhile.operations.context.remembered import Remembered
from meanwhile.operations.threads.conversations import Conversations
from meanwhile.operations.threads.items import Items
from meanwhile.operations.threads.lock import Lock
from meanwhile.operations.threads.make import Make
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.stores import Threads
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.thread_table import threads_in
from meanwhile.storage.threads import ThreadStore
from tests.bench.dynalite import VERSION, NoEngine, dynalite
from tests.bench.report import Cell, Report, Table, Target
from tests.support import aws

SIZES = (100, 1_000, 10_000, 100_000)
_OWNER = "ada"
_A_BATCH = 10
_TOKENS, _WINDOW = 40, 3_000
_TEXT = "What is said in one item of a conversation, about as long as people write. " * 2
_NEW = 2
"""Items that are new to a warm worker: a question and an answer."""
_ROUNDS = 40
_BYTES_FLAT = 1.05
"""Positions of a long thread have more digits."""
_TIMES_FLAT = 1.5
"""A time may differ by so much between the shortest thread and the longest, on a machine that others use."""


@dataclass(slots=True)
class Spent:
    """Calls, and bytes of their answers."""

    calls: int = 0
    read: int = 0
    names: tuple[str, ...] = ()


class OneKey:
    """Stands for KMS."""

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": bytes(32), "CiphertextBlob": b"wrapped"}

    def decrypt(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": bytes(32)}


def measure() -> Report:
    """Write threads of each length, then read what a window of 3,000 tokens holds of them."""
    try:
        with dynalite():
            return _measured()
    except NoEngine as reason:
        table = Table(title="Context: skipped", columns=["why"], rows=[[str(reason)]])
        return Report(name="context", tables=[table])


def _measured() -> Report:
    threads = _threads()
    rows = _rows(threads)
    shortest, longest = rows[0], rows[-1]
    table = Table(
        title=f"Context: what a window of {_WINDOW:,} tokens holds of a thread (engine: dynalite {VERSION})",
        columns=[
            "items in it",
            "shown",
            "calls, cold",
            "bytes read, cold",
            "ms, cold",
            f"/ {SIZES[0]} items",
            "calls, warm",
            "bytes read, warm",
            "ms, warm",
            f"/ {SIZES[0]} items",
        ],
        rows=[row.cells(shortest) for row in rows],
        notes=[
            f"batches of {_A_BATCH} items of {_TOKENS} tokens; the least of {_ROUNDS} times; key in memory.",
            f"warm: the worker remembers all but the newest {_NEW}. Cold: it remembers nothing.",
            "dynalite reads by key from LevelDB, as DynamoDB does; moto looks at all items of a partition.",
        ],
    )
    return Report(
        name="context",
        tables=[table, _conversations(threads)],
        targets=[
            _flat("calls, cold", longest.cold.calls / shortest.cold.calls, 1),
            _flat("bytes, cold", longest.cold.read / shortest.cold.read, _BYTES_FLAT),
            _flat("time, cold", longest.cold_ms / shortest.cold_ms, _TIMES_FLAT),
            _flat("calls, warm", longest.warm.calls / shortest.warm.calls, 1),
            _flat("bytes, warm", longest.warm.read / shortest.warm.read, _BYTES_FLAT),
            _flat("time, warm", longest.warm_ms / shortest.warm_ms, _TIMES_FLAT),
        ],
    )


def _flat(what: str, ratio: float, limit: float) -> Target:
    return Target(what=f"context, {what}: {SIZES[-1]:,} items / {SIZES[0]}", value=ratio, limit=limit)


@dataclass(frozen=True, slots=True)
class _Row:
    size: int
    shown: int
    cold: Spent
    cold_ms: float
    warm: Spent
    warm_ms: float

    def cells(self, shortest: "_Row") -> list[Cell]:
        return [
            self.size,
            self.shown,
            self.cold.calls,
            self.cold.read,
            self.cold_ms,
            self.cold_ms / shortest.cold_ms,
            self.warm.calls,
            self.warm.read,
            self.warm_ms,
            self.warm_ms / shortest.warm_ms,
        ]


def _rows(threads: Threads) -> list[_Row]:
    """Measure all lengths in turns: whatever else the machine does can only add to the least of a time."""
    paths = {size: _written(threads, size) for size in SIZES}
    found: dict[int, list[_Row]] = {size: [] for size in SIZES}
    for _ in range(_ROUNDS):
        for size, path in paths.items():
            shown, cold, cold_ms = _assembled(threads, path, size, warm=False)
            _, warm, warm_ms = _assembled(threads, path, size, warm=True)
            found[size].append(_Row(size, shown, cold, cold_ms, warm, warm_ms))
    return [
        replace(
            rounds[-1],
            cold_ms=min(each.cold_ms for each in rounds),
            warm_ms=min(each.warm_ms for each in rounds),
        )
        for rounds in found.values()
    ]


def _written(threads: Threads, size: int) -> Path:
    path = Path.root(new_id(CONVERSATION))
    for first in range(0, size, _A_BATCH):
        items = [_item(number) for number in range(first, first + _A_BATCH)]
        threads.log.append(_OWNER, path.thread, first, items, f"{first:016x}", findable=False)
    head = ThreadHead(
        id=path.thread,
        owner=_OWNER,
        path=path,
        created_at=1,
        active_at=1,
        tip=size,
        tokens=size * _TOKENS,
    )
    threads.heads.create(head, About())
    return path


def _item(number: int) -> NewItem:
    content = {
        "id": f"msg_{number:048d}",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": f"{number:06d} {_TEXT}"}],
    }
    return NewItem(content=content, tokens=_TOKENS)


def _assembled(threads: Threads, path: Path, size: int, *, warm: bool) -> tuple[int, Spent, float]:
    context = _context(threads)
    if warm:
        context(_OWNER, _request(path, size - _NEW))
    with _counted() as spent:
        started = time.perf_counter()
        shown = context(_OWNER, _request(path, size))
        seconds = time.perf_counter() - started
    return len(shown.request.input), spent, 1_000 * seconds


def _request(path: Path, position: int) -> Request:
    place = Place(path=path, position=position, tokens=position * _TOKENS)
    return Request(model="m", input=[], truncation="auto", place=place.to_json())


def _context(threads: Threads) -> Context:
    window = Window(tokens=_WINDOW, answer=0)
    return Context(
        recall=Recall(threads=threads),
        measure=Measure(window=lambda _: window, at_most=lambda _: 0, count=lambda _: 0),
        expand=lambda _, item: [item],
        remembered=Remembered(most_bytes=10**8, seconds=300, now=lambda: 0.0, is_short=lambda: False),
    )


def _conversations(threads: Threads) -> Table:
    """Count the calls of making, listing and paging conversations."""
    ticks = iter(range(1, 10**6))
    make = Make(threads=threads, now=lambda: float(next(ticks)))
    conversations = Conversations(threads=threads, make=make, now=make.now)
    recall, nobody = Recall(threads=threads), cast("Any", None)
    items = Items(
        threads=threads,
        conversations=conversations,
        recall=recall,
        lock=Lock(threads=threads, stores=nobody, ending=nobody, now=lambda: 0.0),
        now=lambda: 0.0,
    )
    twenty = [_item(number) for number in range(20)]
    for _ in range(30):
        made = conversations.create(_OWNER, items=twenty, title="a title")
    page = items.page(_OWNER, made.id, limit=10)
    behind = page.items[-1].entry.id
    rows: list[list[Cell]] = [
        _calls_of("create", lambda: conversations.create(_OWNER, title="a title")),
        _calls_of("create with 20 items", lambda: conversations.create(_OWNER, items=twenty)),
        _calls_of("list 20", lambda: conversations.list(_OWNER, limit=20)),
        _calls_of("a page of 10 items", lambda: items.page(_OWNER, made.id, limit=10)),
        _calls_of("the next page", lambda: items.page(_OWNER, made.id, limit=10, after=behind)),
    ]
    return Table(
        title="Conversations: AWS calls",
        columns=["what", "calls", "which", "bytes read"],
        rows=rows,
    )


def _calls_of(what: str, do: Callable[[], object]) -> list[Cell]:
    with _counted() as spent:
        do()
    return [what, spent.calls, ", ".join(spent.names), spent.read]


@contextmanager
def _counted() -> Iterator[Spent]:
    """Count what goes over the wire."""
    spent = Spent()
    send = botocore.httpsession.URLLib3Session.send

    def counted(self: Any, request: Any) -> Any:
        answer = send(self, request)
        name = request.headers["X-Amz-Target"]
        name = (name.decode() if isinstance(name, bytes) else name).partition(".")[2]
        spent.calls, spent.read = spent.calls + 1, spent.read + len(answer.content)
        spent.names += (name,)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.httpsession.URLLib3Session, "send", counted)
        yield spent


def _threads() -> Threads:
    keys = aws.new_owner_keys_table()
    keyring = Keyring(
        wrapped_keys_in(keys),
        OneKey,
        master_key="",
        now=lambda: 0.0,
        cache_seconds=300,
        sealing_seconds=300,
    )
    parts, blobs = threads_in(aws.new_threads_table()), cast("Any", None)  # nothing is long enough for one
    log = ThreadLog(parts, keyring, blobs, inline_bytes=200_000)
    return Threads(
        ThreadStore(parts, keyring),
        log,
        ThreadBurial(parts, blobs),
        ThreadBirth(parts, keyring, log, blobs),
    )
