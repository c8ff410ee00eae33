"""Scenario by call by blow: plays each combination once, until a run ends before its call comes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.chaos.deliveries import MEANWHILE, ODD
from tests.chaos.trials import Pool, Trial, Verdict
from tests.chaos.wire import DEATHS, Blow, Strike
from tests.chaos.world import Hit


@dataclass(slots=True)
class Row:
    """All plays of one scenario that were struck the same way."""

    scenario: str
    what: str
    calls: str
    """The processes that were struck, and how many calls each makes when nothing happens."""
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def ends(self) -> Counter[str]:
        """How the responses ended; `not accepted` where nothing was stored."""
        return Counter(status for verdict in self.verdicts for status in verdict.statuses or ["not accepted"])

    @property
    def tries(self) -> Counter[int]:
        """How many claims wrote to the log of a response."""
        return Counter(verdict.tries for verdict in self.verdicts)

    @property
    def broken(self) -> list[str]:
        """Every promise that was broken, with the trial that shows it."""
        return [f"{verdict.trial}: {each}" for verdict in self.verdicts for each in verdict.broken]


def calls(pool: Pool, *, every: int = 1) -> Iterator[Row]:
    """Kill each process before and after each of its calls; then kill those who recover, too.

    `every` leaves out all but one in so many plays.
    """
    deaths = [Strike(at=0, blow=blow) for blow in DEATHS]
    yield from _played(pool, [Planned(plain, "killed", deaths) for plain in pool.plain()], every)
    yield _killed_twice(pool, every)


def deliveries(pool: Pool, *, every: int = 1) -> Iterator[Row]:
    """Pause each process at each of its calls, and let something happen meanwhile; deliver oddly."""
    yield from _played(
        pool,
        [
            Planned(plain, what, [Strike(at=0, blow=Blow.PAUSED, meanwhile=meanwhile)])
            for plain in pool.plain()
            for what, meanwhile in MEANWHILE.items()
        ],
        every,
    )
    for name in ODD:
        yield Row(name, "", "", list(pool.play([Trial(scenario=name)] * max(1, 10 // every))))


def faults(pool: Pool, *, every: int = 1) -> Iterator[Row]:
    """Let AWS fail at each call of each process."""
    yield from _played(
        pool,
        [
            Planned(plain, what, [Strike(at=0, blow=blow, lasting=lasting)])
            for plain in pool.plain()
            for what, blow, lasting in FAULTS
        ],
        every,
    )


FAULTS = (
    ("throttled", Blow.THROTTLED, True),
    ("500", Blow.FAILED, True),
    ("no connection", Blow.NEVER_SENT, True),
    ("done, but no answer", Blow.ANSWER_LOST, True),
    ("done, but no answer, once", Blow.ANSWER_LOST, False),
)
"""One by one; all but the last as often as the library tries, so that the call fails."""

PARTS: dict[str, Callable[..., Iterator[Row]]] = {"calls": calls, "deliveries": deliveries, "faults": faults}


@dataclass(frozen=True, slots=True)
class Planned:
    """A row to be: each strike meets each call of a play that went plainly."""

    plain: Verdict
    what: str
    strikes: Sequence[Strike]
    behind: int = -1
    """The number of the last process that is left alone."""

    def trials(self) -> list[Trial]:
        """Return one trial for each call, and one beyond the last: there a run ends by itself."""
        return [
            self.hit(process, strike, at)
            for process, (_, made) in enumerate(self.plain.calls)
            if process > self.behind
            for strike in self.strikes
            for at in range(1, len(made) + 2)
        ]

    def hit(self, process: int, strike: Strike, at: int) -> Trial:
        """Return the play with one call struck."""
        return self.plain.trial.with_hit(Hit(process=process, strike=replace(strike, at=at)))


def _played(pool: Pool, planned: Sequence[Planned], every: int) -> Iterator[Row]:
    """Play all rows; each comes when it is done. With `every`, each row leaves out others."""
    playing = [(each, pool.play(each.trials()[row % every :: every])) for row, each in enumerate(planned)]
    for each, verdicts in playing:
        told = ", ".join(f"{name} {len(made)}" for name, made in each.plain.calls)
        row = Row(each.plain.trial.scenario, each.what, told, list(verdicts))
        row.verdicts += _beyond(pool, each, row.verdicts)
        row.verdicts.insert(0, each.plain)
        yield row


def _beyond(pool: Pool, planned: Planned, verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    """Go on where even the call beyond the last was there to be struck."""
    for verdict in verdicts:
        hit, again = verdict.trial.hits[-1], verdict
        beyond = isinstance(hit.strike.at, int) and hit.strike.at > len(planned.plain.calls[hit.process][1])
        at = len(planned.plain.calls[hit.process][1]) + 1
        while beyond and again.is_whole:
            at += 1
            [again] = pool.play([planned.hit(hit.process, hit.strike, at)])
            yield again


def _killed_twice(pool: Pool, every: int) -> Row:
    """Kill the worker after each call, and whoever recovers from that after each of theirs."""
    plain = pool.plain()[0]
    death = [Strike(at=0, blow=Blow.DEAD_AFTER)]
    once = next(_played(pool, [Planned(plain, "", death, behind=0)], every)).verdicts[1:]
    planned = [Planned(first, "", death, behind=first.trial.hits[0].process) for first in once]
    row = Row("plain answer", "killed, and again while recovering", "worker 12, then all that follow")
    for each in _played(pool, planned, every):
        row.verdicts += each.verdicts
    return row
