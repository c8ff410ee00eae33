"""Threads as a release has stored them: conversations are kept until somebody deletes them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from meanwhile.domain.compaction import Compaction
from meanwhile.domain.paths import Path
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.domain.threads import NewItem, Place
from meanwhile.operations.threads.conversing import Conversing
from meanwhile.operations.threads.join import Join
from meanwhile.operations.threads.recall import Recall
from meanwhile.storage.compactions import Compactions
from meanwhile.web.conversing import shown, shown_item
from tests.golden.stored import NOW, OWNER, RELEASES, Room, bytes_of, raw_of, text_of
from tests.support import aws

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class StoredThreads:
    """What lies in the table and in the bucket, and what readers are shown of it."""

    rows: list[dict[str, Any]]
    objects: dict[str, bytes]
    conversations: dict[str, Json]
    items: dict[str, list[Json]]
    """Of each conversation, the oldest first."""
    path: list[list[Any]]
    """Of a chain of responses."""
    said: list[Json]
    """In that chain."""
    compaction: Json
    """An item, and what it stands for."""

    def to_json(self) -> Json:
        """Return it as JSON values; bytes as base64."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        objects = {name: text_of(body) for name, body in self.objects.items()}
        return named | {"rows": [raw_of(row, text_of) for row in self.rows], "objects": objects}

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        """Rebuild what `to_json` gave."""
        objects = {name: bytes_of(body) for name, body in stored["objects"].items()}
        return cls(
            **{**stored, "rows": [raw_of(row, bytes_of) for row in stored["rows"]], "objects": objects}
        )


class Shelf:
    """A table of threads beside those of a room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.table = aws.new_threads_table()
        self.threads = aws.threads_on(self.table, inline_bytes=2_000, keyring=room.keyring)
        self.recall = Recall(threads=self.threads)
        join = Join(
            threads=self.threads,
            responses=room.stores.responses,
            recall=self.recall,
            count=lambda _owner, _model, _item: 7,
            now=lambda: NOW,
        )
        self.all = Conversing.over(join, room.read, now=lambda: NOW, kept_seconds=30 * _DAY)
        self.compactions = Compactions(room.keyring)

    def put(self, stored: StoredThreads) -> None:
        """Store threads as a release has stored them."""
        dynamodb = aws.client("dynamodb")
        s3 = aws.client("s3")
        for row in stored.rows:
            dynamodb.put_item(TableName=self.table, Item=row)
        for name, body in stored.objects.items():
            s3.put_object(Bucket=self.room.bucket, Key=name, Body=body)

    def filled(self, previous: Head) -> StoredThreads:
        """Make one thread of every kind; return them as they are stored here and now."""
        made = self.all.conversations.create(
            OWNER,
            items=[_item(number) for number in range(3)],
            title="Trees",
            tags=["green"],
            metadata={"chat": "7"},
        )
        added = self.all.add(OWNER, made.id, [_item(3), _item(4, long=True), self._compaction(5)])
        self.all.items.delete(OWNER, made.id, added[0].entry.id)
        self.all.conversations.update(OWNER, made.id, lambda about: replace(about, pinned=("msg_1",)))
        branch, _ = self.all.items.edit(OWNER, made.id, "msg_2", _item(20))
        _, request = self.all.resolve(
            replace(previous, id=f"{previous.id[:-1]}0"),
            Request(model="simulator", input=[], previous_response_id=previous.id),
        )
        path = Place.from_json(request.place or {}).path.to_json()
        return self._taken([made.id, branch.id], path, self._compaction(6).content)

    def shown(self, conversation_id: str) -> Json:
        """Return a conversation as its owner is shown it."""
        return shown(self.all.conversations.get(OWNER, conversation_id))

    def items(self, conversation_id: str) -> list[Json]:
        """Return its items, the oldest first."""
        page = self.all.items.page(OWNER, conversation_id, limit=100, newest_first=False)
        return [shown_item(item) for item in page.items]

    def said(self, path: list[list[Any]]) -> list[Json]:
        """Return what a chain says."""
        return self.recall.open(OWNER, list(self.recall.up(OWNER, Path.from_json(path))))

    def expanded(self, item: Json) -> list[Json]:
        """Return what a compaction item stands for."""
        return self.compactions.open(OWNER, item["encrypted_content"]).shown_as(item["id"])

    def _compaction(self, number: int) -> NewItem:
        content = self.compactions.close(
            OWNER, Compaction(summary="They spoke of trees.", kept=[_item(1).content])
        )
        item = {"id": f"cmp_{number}", "type": "compaction", "encrypted_content": content}
        return NewItem(content=item, tokens=9)

    def _taken(self, conversations: list[str], path: list[list[Any]], compaction: Json) -> StoredThreads:
        s3 = aws.client("s3")
        rows = sorted(
            aws.contents(self.table), key=lambda row: (str(row["thread_id"]["S"]), str(row["part"]["S"]))
        )
        blobs = [str(row["blob"]["S"]) for row in rows if "blob" in row]
        return StoredThreads(
            rows=rows,
            objects={blob: s3.get_object(Bucket=self.room.bucket, Key=blob)["Body"].read() for blob in blobs},
            conversations={each: self.shown(each) for each in conversations},
            items={each: self.items(each) for each in conversations},
            path=path,
            said=self.said(path),
            compaction={"item": compaction, "shown": self.expanded(compaction)},
        )


def _item(number: int, *, long: bool = False) -> NewItem:
    text = " ".join(f"{each**7:x}" for each in range(400)) if long else f"Tree {number}."
    content = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": text}],
    }
    return NewItem(content=content, tokens=5)


def kept() -> Iterator[tuple[str, StoredThreads]]:
    """Yield what every release has stored, by its version."""
    for path in sorted(RELEASES.glob("*.json")):
        yield path.stem, StoredThreads.from_json(json.loads(path.read_text())["threads"])
