"""Many things at once: a table on a terminal, columns between tabs in a pipe, lines of JSON for scripts."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from meanwhile.cli.prose import harmless
from meanwhile.cli.screens import as_line

Json = dict[str, Any]

RESPONSES = ("id", "status", "model", "created")
MODELS = ("model", "by")


def row_of_response(found: Json) -> tuple[str, ...]:
    """Return a response's cells; its time is that of this machine's zone."""
    created = datetime.fromtimestamp(found["created_at"], tz=UTC).astimezone()
    return found["id"], found["status"], found["model"], f"{created:%Y-%m-%d %H:%M:%S}"


def row_of_model(found: Json) -> tuple[str, ...]:
    """Return a model's cells."""
    return found["id"], found["owned_by"]


def show(out: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows: ids are never cut, so that they can be copied."""
    if not out.file.isatty():
        for row in rows:
            out.file.write("\t".join(row) + "\n")
        out.file.flush()
        return
    if out.width < 1:  # COLUMNS=0; nothing would be shown
        out.width = 80
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="fold" if column == "id" else "ellipsis")
    for row in rows:
        table.add_row(*map(harmless, row))
    out.print(table, soft_wrap=True, markup=False, highlight=False)


def show_json(out: Console, found: Iterable[Json]) -> None:
    """Show each object on its own line."""
    for each in found:
        out.file.write(as_line(each) + "\n")
    out.file.flush()
