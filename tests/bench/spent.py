"""What a stretch of work cost in AWS calls, by caller and operation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from infra.local.client import LocalStack
from tests.bench.report import Cell

COLUMNS = ("AWS operation", "calls", "write units", "bytes written", "read units")
"""Those of `Spent.rows`."""

_NUMBERS = ("count", "write_units", "read_units", "bytes", "seconds")


@dataclass(frozen=True, slots=True)
class Spent:
    """The metered calls of one or several callers; bytes of DynamoDB are of items, others of requests."""

    calls: Sequence[dict[str, Any]]

    @classmethod
    def so_far(cls, stack: LocalStack, *callers: str) -> Self:
        """Return what these callers (all, if none is named) have spent since the last reset."""
        return cls([call for call in stack.calls() if not callers or call["caller"] in callers])

    def since(self, before: "Spent") -> "Spent":
        """Return what was spent between two looks."""
        earlier = {_key(call): call for call in before.calls}
        spent = [_difference(call, earlier.get(_key(call), {})) for call in self.calls]
        return Spent([call for call in spent if call["count"]])

    @property
    def count(self) -> int:
        """How many calls."""
        return int(self._sum("count"))

    def count_of(self, operation: str) -> int:
        """How many calls of one operation."""
        return sum(call["count"] for call in self.calls if call["operation"] == operation)

    def seconds_of(self, operation: str) -> float:
        """How long moto took for one operation."""
        return float(sum(call["seconds"] for call in self.calls if call["operation"] == operation))

    @property
    def write_units(self) -> int:
        """DynamoDB write units, indexes included."""
        return int(self._sum("write_units"))

    @property
    def read_units(self) -> float:
        """DynamoDB read units."""
        return self._sum("read_units")

    @property
    def bytes_written(self) -> int:
        """Bytes of the items that DynamoDB stored."""
        return sum(call["bytes"] for call in self.calls if call["service"] == "dynamodb")

    @property
    def moto_seconds(self) -> float:
        """How long moto took to answer, long polls' waiting left out."""
        return self._sum("seconds")

    def rows(self, *, per: int = 1, who: str = "") -> Iterator[list[Cell]]:
        """Yield one row per operation, then the sum; `per` divides, `who` is put before each name."""
        prefix = f"{who}: " if who else ""
        for call in self.calls:
            name = f"{prefix}{call['service']} {call['operation']}"
            written = call["bytes"] if call["service"] == "dynamodb" else 0
            yield _row(name, per, call["count"], call["write_units"], written, call["read_units"])
        total = (self.count, self.write_units, self.bytes_written, self._sum("read_units"))
        yield _row(f"{prefix}all", per, *total)

    def _sum(self, what: str) -> float:
        return float(sum(call[what] for call in self.calls))


def _key(call: dict[str, Any]) -> tuple[str, str, str, str]:
    return call["caller"], call["service"], call["operation"], call.get("table", "")


def _difference(call: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    return {**call, **{what: call[what] - before.get(what, 0) for what in _NUMBERS}}


def _row(name: str, per: int, *numbers: float) -> list[Cell]:
    return [name, *(number / per for number in numbers)]
