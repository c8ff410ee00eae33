"""The rewrite-everything way, computed from the very commits of a real answer.

Whoever keeps the text so far in one item writes all of it with every commit. The item counted here is the
smallest such: the keys, an expiry and the text, sealed as ours is, nothing else.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.client import LocalStack
from infra.local.units import item_size, write_units
from meanwhile.domain.facts import Delta
from meanwhile.domain.log import Batch
from meanwhile.storage.cipher import OVERHEAD
from tests.support.opened import history_of

_LEVEL = 6
"""As hard as `storage/payload.py` compresses."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a row of writes costs."""

    writes: int
    units: int
    bytes: int

    @classmethod
    def of(cls, items: Sequence[dict[str, Any]]) -> "Written":
        """Return the cost of writing each of these items once."""
        sizes = [item_size(item) for item in items]
        return cls(len(sizes), sum(map(write_units, sizes)), sum(sizes))


@dataclass(frozen=True, slots=True)
class Stored:
    """The items of one response, as they lie in the table."""

    items: Sequence[dict[str, Any]]
    batches: Sequence[Batch]

    @classmethod
    def read(cls, stack: LocalStack, response_id: str) -> "Stored":
        """Read every part of a response."""
        pages = (
            stack.boto("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=stack.physical_id("ResponsesTable"),
                KeyConditionExpression="response_id = :id",
                ExpressionAttributeValues={":id": {"S": response_id}},
                ConsistentRead=True,
            )
        )
        items = [item for page in pages for item in page["Items"]]
        return cls(items, history_of(stack, response_id))

    def part(self, prefix: str) -> list[dict[str, Any]]:
        """Return the items whose part begins like this, in order."""
        return [item for item in self.items if item["part"]["S"].startswith(prefix)]

    def rewritten(self, *, compressed: bool) -> Written:
        """Return what the same commits would have cost if each had written the whole text so far."""
        keys = self._attributes("response_id", "expires_at") | {"part": {"S": "text"}}
        return Written.of([{**keys, "payload": {"B": text}} for text in self._sealed(compressed=compressed)])

    def rewritten_in_head(self) -> Written:
        """Return the same, compressed, for those who keep text and head in one item, as is common."""
        (head,) = self.part("head")
        return Written.of([{**head, "text": {"B": text}} for text in self._sealed(compressed=True)])

    def _sealed(self, *, compressed: bool) -> Iterator[bytes]:
        """Yield as many bytes as the sealed text takes after each batch."""
        for text in self._texts():
            yield bytes(OVERHEAD) + (zlib.compress(text, _LEVEL) if compressed else text)

    def _texts(self) -> Iterator[bytes]:
        """Yield the text as it stood after each batch."""
        text = ""
        for batch in self.batches:
            text += "".join(fact.text for fact in batch.facts if isinstance(fact, Delta))
            yield text.encode()

    def _attributes(self, *names: str) -> dict[str, Any]:
        return {name: self.items[0][name] for name in names}
