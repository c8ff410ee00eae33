"""Responses as a release has stored them: raw items and objects, their key, and what they say.

A later version must still read every one of them. The key is made for this and seals nothing else.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from meanwhile.domain.events import events
from meanwhile.domain.log import facts_of
from meanwhile.operations.responses.ending import Ending
from meanwhile.operations.responses.read import Read
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.stores import Stores
from tests.support import aws

RELEASES = Path(__file__).parent
OWNER = "ada"
SECRET = bytes(range(32))
NOW = 1_800_000_000


class OneKey:
    """Stands for KMS: whatever it is given to unwrap, it returns the one key."""

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": SECRET, "CiphertextBlob": b"wrapped"}

    def decrypt(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": SECRET}


@dataclass(frozen=True, slots=True)
class Stored:
    """One response: what lies in the table and in the bucket, and what readers are shown of it."""

    name: str
    response_id: str
    items: list[dict[str, Any]]
    objects: dict[str, bytes]
    response: dict[str, Any]
    events: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values; bytes as base64."""
        return {
            "name": self.name,
            "response_id": self.response_id,
            "items": [raw_of(item, text_of) for item in self.items],
            "objects": {name: text_of(body) for name, body in self.objects.items()},
            "response": self.response,
            "events": self.events,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Rebuild what `to_json` gave."""
        items = [raw_of(item, bytes_of) for item in stored["items"]]
        objects = {name: bytes_of(body) for name, body in stored["objects"].items()}
        return cls(**{**stored, "items": items, "objects": objects})


class Room:
    """A table and a bucket with a key of their own, where responses are stored and read."""

    def __init__(self) -> None:
        self.table = aws.new_table()
        self.bucket = aws.new_bucket()
        keys = aws.new_keys()
        self.keyring = keyring = Keyring(
            aws.connected(wrapped_keys_in(keys["owner_keys_table"])),
            OneKey,
            master_key="one",
            now=lambda: NOW,
            cache_seconds=300,
            sealing_seconds=300,
        )
        self.stores: Stores = aws.stores_on(self.table, inline_bytes=2_000, keyring=keyring)
        keyring.current(OWNER)
        ending = Ending(stores=self.stores, now=lambda: NOW, unstored_retention_seconds=600)
        self.ending = ending
        self.read = Read(stores=self.stores, ending=ending, now=lambda: NOW)

    def put(self, stored: Stored) -> None:
        """Store a response as a release has stored it."""
        dynamodb = aws.client("dynamodb")
        s3 = aws.client("s3")
        for item in stored.items:
            dynamodb.put_item(TableName=self.table, Item=item)
        for name, body in stored.objects.items():
            s3.put_object(Bucket=self.bucket, Key=name, Body=body)

    def taken(self, name: str, response_id: str) -> Stored:
        """Return a response as it is stored here and now."""
        s3 = aws.client("s3")
        items = [item for item in aws.contents(self.table) if item["response_id"]["S"] == response_id]
        blobs = [item["blob"]["S"] for item in items if "blob" in item]
        objects = {blob: s3.get_object(Bucket=self.bucket, Key=blob)["Body"].read() for blob in blobs}
        items.sort(key=lambda item: str(item["part"]["S"]))
        return Stored(name, response_id, items, objects, self.response(response_id), self.events(response_id))

    def response(self, response_id: str) -> dict[str, Any]:
        """Return what its owner is shown."""
        return self.read(OWNER, response_id)

    def events(self, response_id: str) -> list[dict[str, Any]]:
        """Return what its stream says."""
        record, request = self.read.record(OWNER, response_id)
        return list(events(record.head, request, facts_of(self.stores.log.read(record.head))))


def releases() -> Iterator[tuple[str, Stored]]:
    """Yield what every release has stored, by its version."""
    for path in sorted(RELEASES.glob("*.json")):
        for each in json.loads(path.read_text())["responses"]:
            yield path.stem, Stored.from_json(each)


def raw_of(item: dict[str, Any], change: Any) -> dict[str, Any]:
    """Return a raw item of a table with its bytes changed."""
    return {
        name: {kind: change(value) if kind == "B" else value for kind, value in attribute.items()}
        for name, attribute in item.items()
    }


def text_of(raw: bytes) -> str:
    """Return bytes as JSON holds them."""
    return base64.b64encode(raw).decode()


def bytes_of(text: str) -> bytes:
    """Return the bytes that a text stands for."""
    return base64.b64decode(text)
