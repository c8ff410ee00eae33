"""A world for one play: tables and queues of its own, processes that come and go, time that is moved."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from meanwhile.domain.request import Request
from tests.chaos import service
from tests.chaos.clock import SharedClock
from tests.chaos.place import VISIBILITY_SECONDS, Place, Queue
from tests.chaos.processes import Process, Said, Tell
from tests.chaos.scenarios import Scenario
from tests.chaos.wire import Strike, Wire

LEASE_SECONDS = 31
"""After which a dead worker's response can be claimed, and its message comes back."""
_MINUTES = 12


class Died(Exception):
    """The process that was to play the next step is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A strike, and the process it is meant for: the first of the play is number 0."""

    process: int
    strike: Strike


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a queue has handed out."""

    queue: Queue
    record: dict[str, Any]


class World:
    """Where one scenario is played. Its processes are numbered in the order of their start."""

    def __init__(self, place: Place, scenario: Scenario, hits: Sequence[Hit] = ()) -> None:
        self.scenario = scenario
        self.owner = f"owner-{uuid.uuid4().hex[:8]}"
        self.clock: SharedClock = place.clock
        self._began = self.clock()
        self.tables = place.new(scenario.settings)
        self.said: list[Said] = []
        """What the processes told that were not unharmed."""
        self.wrong: list[str] = []
        self.accepted: list[str] = []
        self.past: list[str] = []
        """Responses that were accepted, and ended, before anything happened."""
        self.conversation: str | None = None
        self.begun: list[str] = []
        """What the conversation says at its beginning."""
        self.cancels: list[str] = []
        """What cancels were answered: a status, or the error."""
        self.asked_to_cancel = False
        self.seen: dict[str, Any] | None = None
        """What readers saw at a moment after which nothing may change any more."""
        self.delivered: list[Delivery] = []
        self.requests = 0
        self.running: list[Process] = []
        self.struck: set[Hit] = set()
        """The hits that have met a call."""
        self._hits = hits
        self._is_safe = False

    # What a scenario is played with.

    def accept(self, *, key: str | None = None, request: Request | None = None) -> None:
        """Let the API take the request; under a key the client asks again until it hears of an id."""
        asked = request or self.scenario.request
        self.requests += 1
        for _ in range(3):
            try:
                said = self._run("accept", lambda: service.accept(self.owner, asked, key))
            except Died:
                if key is None:
                    raise
                continue
            if said.result:
                self.accepted.append(said.result)
            if said.result or key is None:
                return

    def begin(self, *said: str) -> None:
        """Let the owner begin a conversation that says this."""
        self.begun = [*said]
        self.conversation = self._run("begin", lambda: service.begin(self.owner, said)).result

    def is_past(self) -> None:
        """Leave what was accepted until now out of what happens to the rest."""
        self.past, self.accepted = [*self.past, *self.accepted], []
        self.delivered = []

    def work(self, *strikes: Strike) -> None:
        """Deliver what the queues have to give now, a message to an invocation."""
        for each in self.received():
            self.deliver(each, *strikes)

    def received(self) -> list[Delivery]:
        """Take from the queues what is to be had now."""
        return [
            Delivery(queue, record) for queue in self.tables.queues for record in self.tables.receive(queue)
        ]

    def deliver(self, delivery: Delivery, *strikes: Strike) -> None:
        """Invoke a worker as the event source does: what it does not report as failed is deleted."""
        self.delivered.append(delivery)
        self._delete(delivery, self._run("worker", partial(service.work, [delivery.record]), *strikes))

    def deliver_to_two(self, delivery: Delivery) -> None:
        """Invoke two workers with the same message, at the same time."""
        both = [self._start("worker", partial(service.work, [delivery.record])) for _ in range(2)]
        for each in both:
            self._delete(delivery, self._finish(*each))

    def _delete(self, delivery: Delivery, said: Said) -> None:
        if said.result == []:
            self.tables.delete(delivery.queue, delivery.record)

    def cancel(self) -> None:
        """Let the owner cancel what was accepted."""
        for response_id in self.accepted:
            self.asked_to_cancel = True
            said = self._run("cancel", partial(service.cancel, self.owner, response_id))
            self.cancels.append(said.refused or said.result)

    def sweep(self) -> None:
        """Let the sweeper look."""
        self._run("sweeper", service.sweep)

    def lose_messages(self) -> None:
        """Drop every message, hidden ones too."""
        self.tables.purge()

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Play steps that are a scenario's past: they are neither counted nor struck, and may die."""
        self._is_safe = True
        try:
            yield
        finally:
            self._is_safe = False

    # What happens whatever the scenario.

    def play(self) -> None:
        """Play the scenario, as far as its processes live, and let time do the rest."""
        try:
            self.scenario.play(self)
        except Died:
            pass
        finally:
            while self.running:
                self.running.pop().kill()
        self.settle()

    def passed(self) -> float:
        """Return how many seconds the play has taken, by its own clock."""
        return self.clock() - self._began

    def oldest_goes_on(self) -> None:
        """Let the process that was paused first run to its end, now."""
        oldest = self.running[0]
        oldest.resume()
        while oldest.until_paused():
            oldest.resume()

    def settle(self) -> None:
        """Move time on, minute by minute, until nothing is open and no message is left."""
        for _ in range(_MINUTES):
            self._deliver_all()
            is_open = self.tables.open()
            if not (is_open or self.tables.waiting()):
                return
            if not is_open:
                self.clock.advance(VISIBILITY_SECONDS + 1)  # only late deliveries are left
                continue
            self.clock.advance(LEASE_SECONDS)
            if self._deliver_all():
                continue
            self.clock.advance(LEASE_SECONDS)
            with suppress(Died):
                self.sweep()
        self.wrong.append(f"not at rest after {_MINUTES} minutes")

    def _deliver_all(self) -> bool:
        """Deliver whatever comes, though workers may die; return whether anything came."""
        count = 0
        while deliveries := self.received():
            for each in deliveries:
                count += 1
                with suppress(Died):
                    self.deliver(each)
        return count > 0

    def visible(self, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what readers can see of every response, or of those that `like` has: all but the lease."""
        items = {
            f"{item['response_id']['S']}/{item['part']['S']}": item
            for item in self.tables.contents()
            if item["part"]["S"] not in {"lease", "mark"}
        }
        return items if like is None else {place: item for place, item in items.items() if place in like}

    def _run(self, name: str, act: Callable[[], Any], *strikes: Strike) -> Said:
        """Run an act in a process of its own; whatever pauses it, happens."""
        return self._finish(*self._start(name, act, *strikes))

    def _start(self, name: str, act: Callable[[], Any], *strikes: Strike) -> tuple[Process, int | None]:
        """Start a process; return it with its number, if it has one."""
        number = None if self._is_safe else len(self.said)
        hits = [hit for hit in self._hits if hit.process == number]
        strikes = (*(hit.strike for hit in hits), *strikes)
        if number is not None:
            self.said.append(Said(name))
        tables, clock = self.tables, self.clock

        def live(wire: Wire, tell: Tell) -> Any:
            service.installed(tables.settings, tables.clients, clock, wire, tell)
            return service.told_of(act, tell)

        process = Process(name, live, strikes)
        self.running.append(process)
        return process, number

    def _finish(self, process: Process, number: int | None) -> Said:
        while (strike := process.until_paused()) is not None:
            if strike.meanwhile:
                strike.meanwhile(self)
            process.resume()
        self.running.remove(process)
        said = process.said()
        self.wrong += said.wrong
        if number is not None:
            self.said[number] = said
            hits = [hit for hit in self._hits if hit.process == number]
            self.struck |= {hit for index, hit in enumerate(hits) if index in said.struck}
            if said.died:
                raise Died
        return said
