"""What a DynamoDB request costs, computed from the items: sizes, write units, read units.

Sizes follow "DynamoDB item sizes and formats" in the developer guide; units follow "read and write
operations" and, for indexes, "provisioned throughput considerations for global secondary indexes".
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WRITE_UNIT = 1024
READ_UNIT = 4096

Attributes = Mapping[str, Any]
"""An item as the wire has it: {"name": {"S": "text"}}. Binary values are bytes, or base64 text."""


def item_size(item: Attributes) -> int:
    """Return an item's size in bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def write_units(size: int) -> int:
    """Return the units for writing an item of this size once."""
    return max(1, -(-size // WRITE_UNIT))


def read_units(size: int, *, strong: bool) -> float:
    """Return the units for reading this many bytes in one piece."""
    return max(1, -(-size // READ_UNIT)) * (1.0 if strong else 0.5)


@dataclass(frozen=True, slots=True)
class Index:
    """What an index keeps of an item. `projected` is None when it keeps everything."""

    key: Sequence[str]
    projected: frozenset[str] | None

    def entry(self, item: Attributes | None) -> Attributes | None:
        """Return the item's entry, or None when the item lacks a key attribute and so is not in the index."""
        if item is None or any(name not in item for name in self.key):
            return None
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}

    def units(self, before: Attributes | None, after: Attributes | None) -> int:
        """Return the write units that a change of the item costs this index."""
        old, new = self.entry(before), self.entry(after)
        if old is None or new is None:
            return sum(write_units(item_size(entry)) for entry in (old, new) if entry is not None)
        if any(old[name] != new[name] for name in self.key):
            return write_units(item_size(old)) + write_units(item_size(new))
        return 0 if old == new else write_units(max(item_size(old), item_size(new)))


@dataclass(frozen=True, slots=True)
class Change:
    """One item, before and after a write; a failed condition leaves `after` what it would have been."""

    before: Attributes | None
    after: Attributes | None
    failed: bool = False

    @property
    def bytes_written(self) -> int:
        """The size of what is now stored because of this write."""
        return 0 if self.failed or self.after is None else item_size(self.after)

    def units(self, indexes: Iterable[Index]) -> int:
        """Return the write units: the larger of both sizes, and what each index had to change."""
        sizes = [item_size(item) for item in (self.before, self.after) if item is not None]
        table = write_units(max(sizes, default=0))
        return (
            table if self.failed else table + sum(index.units(self.before, self.after) for index in indexes)
        )


def _value_size(value: Mapping[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    size: int = _SIZES[kind](content)
    return size


def _number_size(text: str) -> int:
    """Return a byte for two significant digits, one more, and one for a minus; zeros at the ends are free."""
    digits = text.lstrip("-").upper().split("E", 1)[0]
    whole, _, fraction = digits.partition(".")
    significant = (whole + fraction).strip("0") if fraction else whole.strip("0")
    return min(21, (len(significant) + 1) // 2 + 1 + text.startswith("-"))


def _binary_size(content: bytes | str) -> int:
    return len(content) if isinstance(content, bytes) else len(base64.b64decode(content))


def _map_size(content: Mapping[str, Any]) -> int:
    return 3 + sum(1 + len(name.encode()) + _value_size(value) for name, value in content.items())


def _list_size(content: Sequence[Any]) -> int:
    return 3 + sum(1 + _value_size(value) for value in content)


_SIZES: dict[str, Any] = {
    "S": lambda content: len(content.encode()),
    "N": _number_size,
    "B": _binary_size,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "M": _map_size,
    "L": _list_size,
    "SS": lambda content: sum(len(text.encode()) for text in content),
    "NS": lambda content: sum(map(_number_size, content)),
    "BS": lambda content: sum(map(_binary_size, content)),
}
