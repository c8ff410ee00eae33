"""The matrix as a person wants to read it: scenario by calls by outcome."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tests.chaos.matrix import Row
from tests.chaos.trials import Verdict
from tests.chaos.world import Hit


def show(title: str, rows: Iterable[Row], console: Console, *, each: bool = False) -> list[str]:
    """Print a part's rows as they come to be; return every promise that was broken."""
    table = Table("scenario", "what happens", "AWS calls", "plays", "ended", "tries", "broken", title=title)
    table.title_justify = "left"
    told, broken = [], []
    with console.status(title):
        for row in rows:
            table.add_row(
                row.scenario,
                row.what,
                row.calls,
                str(len(row.verdicts)),
                _counted(row.ends),
                _counted(row.tries),
                str(len(row.broken)),
            )
            broken += row.broken
            told += [_line(row, verdict) for verdict in row.verdicts]
    console.print(table)
    for line in told if each else []:
        console.print(line, style="dim", soft_wrap=True)
    for problem in broken:
        console.print(problem, style="red", markup=False)
    return broken


def _counted(counter: "Counter[str] | Counter[int]") -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counter.items()))


def _line(row: Row, verdict: Verdict) -> str:
    """Say what one play was: which call of which process, and how it ended."""
    hits = [_call(verdict, hit) for hit in verdict.trial.hits]
    ends = ", ".join(verdict.statuses) or "not accepted"
    return f"{row.scenario}, {row.what}, {' then '.join(hits) or 'nothing'}: {ends}, {verdict.tries} tries"


def _call(verdict: Verdict, hit: Hit) -> str:
    name, made = verdict.calls[hit.process] if hit.process < len(verdict.calls) else ("nobody", [])
    at = hit.strike.at
    call = made[at - 1] if isinstance(at, int) and at <= len(made) else "never came"
    return f"{name} {at} ({call}) {hit.strike.blow}"
