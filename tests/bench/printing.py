"""Reports on the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from tests.bench.report import Cell, Report, Table, Target

_NARROWEST = 150


def show(report: Report, console: Console) -> None:
    """Print the tables of a report with their notes."""
    for table in report.tables:
        console.print(_grid(table))
        for note in table.notes:
            console.print(f"  {note}", style="dim", highlight=False, soft_wrap=True)
        console.print()


def show_targets(targets: Sequence[Target], console: Console) -> None:
    """Print what was promised, what came of it, and whether it holds."""
    if not targets:
        return
    grid = _empty("Targets", ["target", "found", "promised", ""])
    for target in targets:
        sign, style = ("≥" if target.at_least else "≤"), ("green" if target.is_met else "bold red")
        verdict = "met" if target.is_met else "MISSED"
        grid.add_row(target.what, _text(target.value), f"{sign} {_text(target.limit)}", verdict, style=style)
    console.print(grid)


def console() -> Console:
    """Return a console; where nobody looks, lines are as long as the tables need."""
    wide = Console()
    return wide if wide.is_terminal else Console(width=max(_NARROWEST, wide.width))


def _grid(table: Table) -> Grid:
    grid = _empty(table.title, table.columns)
    for row in table.rows:
        grid.add_row(*map(_text, row))
    return grid


def _empty(title: str, columns: Sequence[str]) -> Grid:
    grid = Grid(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        grid.add_column(column, justify="left" if index == 0 else "right")
    return grid


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.2f}".rstrip("0").rstrip(".")
    return f"{cell:,}" if isinstance(cell, int) else cell
