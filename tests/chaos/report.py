"""What a run of random kills showed, as a person wants to read it."""

from collections import Counter
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from tests.chaos.kills import Outcome


def show(outcome: Outcome, console: Console) -> None:
    """Print the promises, the recovery times beside the lease, and whatever broke."""
    plan = outcome.plan
    table = Table("what", "seen", title="chaos: processes killed at random", title_justify="left")
    table.add_row("responses asked for, and ended", f"{plan.responses}, {len(outcome.tries)}")
    table.add_row("SIGKILLs", _counted(Counter(name for name, _ in outcome.killed)))
    table.add_row("calls and streams cut off, and resumed", _counted(outcome.cut_off))
    table.add_row("events that readers were sent", f"{outcome.events:,}")
    table.add_row("claims", str(outcome.claims))
    tries = sorted(Counter(outcome.tries).items())
    table.add_row("responses by tries", ", ".join(f"{count} in {number}" for number, count in tries))
    table.add_row("half-written items given up", str(outcome.given_up))
    table.add_row("lease", f"{plan.lease_seconds:g} s")
    table.add_row("from a worker's kill to the next claim", _spread(outcome.recovered_after))
    table.add_row("lost, doubled, gaps, wrong texts", str(len(outcome.broken)))
    table.add_row("the whole run", f"{outcome.seconds:.0f} s")
    console.print(table)
    for problem in outcome.broken:
        console.print(f"[red]{problem}[/red]")


def _counted(what: Counter[str]) -> str:
    each = ", ".join(f"{name.removesuffix('Function')} {count}" for name, count in sorted(what.items()))
    return f"{what.total()}: {each}" if each else "0"


def _spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return f"{len(seconds)} seen"
    cuts = quantiles(seconds, n=20, method="inclusive")
    worst = max(seconds)
    return f"{len(seconds)} seen; p50 {cuts[9]:.1f} s, p95 {cuts[18]:.1f} s, max {worst:.1f} s"
