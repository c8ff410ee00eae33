"""What a run of chaos showed, as a person wants to read it."""

from collections import Counter
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from tests.chaos.kills import Outcome


def show(outcome: Outcome, console: Console) -> None:
    """Print the promises, the recovery times beside the lease, and whatever broke."""
    plan = outcome.plan
    table = Table("what", "seen", title="chaos: workers killed at random", title_justify="left")
    table.add_row("responses accepted, and ended", f"{plan.responses}, {len(outcome.tries)}")
    table.add_row("SIGKILLs to workers", str(len(outcome.killed_at)))
    table.add_row("claims", str(outcome.claims))
    counted = sorted(Counter(outcome.tries).items())
    table.add_row("responses by tries", ", ".join(f"{count} in {tries}" for tries, count in counted))
    table.add_row("half-written items given up", str(outcome.given_up))
    table.add_row("lease", f"{plan.lease_seconds:g} s")
    table.add_row("from kill to next claim", _spread(outcome.recovered_after))
    table.add_row("broken promises", str(len(outcome.broken)))
    table.add_row("the whole run", f"{outcome.seconds:.0f} s")
    console.print(table)
    for problem in outcome.broken:
        console.print(f"[red]{problem}[/red]")
    if len(outcome.killed_at) < plan.kills:
        outcome.broken.append("fewer kills than planned")
        console.print(f"[red]only {len(outcome.killed_at)} of {plan.kills} kills[/red]")


def _spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return f"{len(seconds)} seen"
    cuts = quantiles(seconds, n=20, method="inclusive")
    worst = max(seconds)
    return f"{len(seconds)} seen; p50 {cuts[9]:.1f} s, p95 {cuts[18]:.1f} s, max {worst:.1f} s"
