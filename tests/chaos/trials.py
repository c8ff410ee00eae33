"""Trials: one play of one scenario with its strikes, judged; many of them, in several processes."""

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from tests.chaos.deliveries import ODD
from tests.chaos.place import Place
from tests.chaos.promises import judged
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.world import Hit, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is played, and what happens to it."""

    scenario: str
    hits: tuple[Hit, ...] = ()

    def __str__(self) -> str:
        told = [f"{hit.process}/{hit.strike.at} {hit.strike.blow}" for hit in self.hits]
        return ", ".join([self.scenario, *told])

    def with_hit(self, hit: Hit) -> "Trial":
        """Return the same with one more hit."""
        return replace(self, hits=(*self.hits, hit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a trial."""

    trial: Trial
    calls: list[tuple[str, list[str]]]
    """Each process of the play by name, with the AWS calls it made."""
    struck: int
    """How many of the hits met a call."""
    statuses: list[str]
    tries: int
    """How many claims wrote to the log."""
    broken: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def is_whole(self) -> bool:
        """Whether every hit of the trial met a call; else the calls were at their end before."""
        return self.struck >= len(self.trial.hits)


class Pool:
    """Processes that play trials, each on an engine of its own. They have no threads, so they can fork."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor
        self._plain: list[Verdict] = []

    def play(self, trials: Iterable[Trial]) -> Iterator[Verdict]:
        """Play all; verdicts come in the order of the trials."""
        return self._executor.map(_play, trials)

    def plain(self) -> list[Verdict]:
        """Return each scenario played once with nothing happening to it: which calls there are."""
        self._plain = self._plain or list(self.play(Trial(scenario=name) for name in SCENARIOS))
        return self._plain


@contextmanager
def pool(processes: int) -> Iterator[Pool]:
    """Start the processes, and end them and their engines in the end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as executor:
        yield Pool(executor)


@cache
def _place() -> Place:
    """Return this process's engine; it ends with the process, which holds its standard input."""
    return Place().__enter__()


def _play(trial: Trial) -> Verdict:
    began = time.perf_counter()
    world = World(_place(), (SCENARIOS | ODD)[trial.scenario], trial.hits)
    world.play()
    seen = judged(world)
    return Verdict(
        trial=trial,
        calls=[(said.name, said.calls) for said in world.said],
        struck=len(world.struck),
        statuses=seen.statuses,
        tries=seen.tries,
        broken=seen.broken,
        seconds=time.perf_counter() - began,
    )
