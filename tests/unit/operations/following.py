"""A reader of streams, in a time that passes only while the reader sleeps."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, cast

from meanwhile.domain.facts import Fact
from meanwhile.domain.log import tip_of
from meanwhile.domain.request import Json, Request
from meanwhile.domain.response import Head
from meanwhile.operations.responses.follow import Follow
from meanwhile.operations.responses.watch import Watches
from meanwhile.storage.watches import Place, WatchStore
from tests.unit.operations.scene import OWNER, Scene

FAST, SLOW, SILENCE, LIMIT, WATCH = 0.1, 0.5, 15.0, 840.0, 40.0


class Time:
    """A clock, and a sleep in which what was planned happens."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._plans: list[tuple[float, Callable[[], object]]] = []
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed

    def at(self, moment: float, do: Callable[[], object]) -> None:
        """Do something so many seconds from the beginning."""
        self._plans.append((moment, do))

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(0)
        self.passed += seconds
        self._scene.clock.advance(seconds)
        due = [do for moment, do in self._plans if moment <= self.passed]
        self._plans = [(moment, do) for moment, do in self._plans if moment > self.passed]
        for do in due:
            do()


class TwinWatches:
    """Open streams in memory; which ones a new one displaces is the real store's own affair."""

    def __init__(self) -> None:
        self.open: dict[str, float] = {}
        self.begun = 0

    def begin(self, owner: str, response_id: str, *, now: float, until: float, **limits: int) -> Place:
        del now, limits
        self.begun += 1
        place = Place(owner, f"{response_id} {self.begun}")
        self.open[place.part] = until
        return place

    def renew(self, place: Place, *, until: float) -> bool:
        if place.part in self.open:
            self.open[place.part] = until
        return place.part in self.open

    def end(self, place: Place) -> None:
        self.open.pop(place.part, None)


class Reading:
    """Streams over a scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.time = Time(scene)
        self.watches = TwinWatches()

    def write(self, head: Head, *facts: Fact) -> None:
        """Append one batch as the claim of epoch 1 does."""
        log = self.scene.stores.log
        tip = tip_of(log.read(head))
        log.append(head, tip.next(*facts, epoch=1, nonce=f"nonce-{tip.number}"))

    def stream(
        self, head: Head, *, after: int = -1, is_new: bool = False
    ) -> AsyncGenerator[Json | None, None]:
        """Begin a stream."""
        scene = self.scene
        follow = Follow(
            stores=scene.stores,
            read=scene.read,
            watches=Watches(
                watches=cast("WatchStore", self.watches),
                leases=scene.stores.leases,
                now=scene.clock,
                seconds=WATCH,
                per_response=5,
                per_owner=50,
            ),
            clock=self.time,
            sleep=self.time.sleep,
            fast_seconds=FAST,
            slow_seconds=SLOW,
            silence_seconds=SILENCE,
            limit_seconds=LIMIT,
        )
        return follow(head, asked(head), after=after, is_new=is_new)

    def read(self, head: Head, **how: Any) -> list[Json | None]:
        """Read a stream to its end."""

        async def all_of_it() -> list[Json | None]:
            async with aclosing(self.stream(head, **how)) as stream:
                return [event async for event in stream]

        return asyncio.run(all_of_it())

    def events(self, head: Head, **how: Any) -> list[Json]:
        """Read a stream to its end, without its signs of life."""
        return [event for event in self.read(head, **how) if event is not None]


def asked(head: Head) -> Request:
    """Return what `Scene.accepted` asks."""
    return Request(model="simulator", input=[], background=head.background, store=head.store)


def types(events: Sequence[Json | None]) -> list[str]:
    """Return the types, without the prefix that most have."""
    return [event["type"].removeprefix("response.") if event else "..." for event in events]


__all__ = ["FAST", "LIMIT", "OWNER", "SILENCE", "SLOW", "WATCH", "Reading", "asked", "types"]
