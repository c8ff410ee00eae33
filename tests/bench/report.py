"""What a benchmark found: tables to read, targets to hold, all of it JSON too."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Cell = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; the notes say how the numbers came about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A number that the design promises (design.md, "Numbers to reach")."""

    what: str
    value: float
    limit: float
    at_least: bool = False
    """The number must not be smaller; otherwise it must not be larger."""

    @property
    def is_met(self) -> bool:
        """Whether the promise holds."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One benchmark's outcome."""

    name: str
    tables: Sequence[Table]
    targets: Sequence[Target] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON takes it, each target with its verdict."""
        targets = [{**asdict(target), "met": target.is_met} for target in self.targets]
        return {**asdict(self), "targets": targets}
