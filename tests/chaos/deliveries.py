"""What can happen while a process is paused at a call: other deliveries, a cancel, the end of its lease."""

from collections.abc import Callable

from tests.chaos.place import VISIBILITY_SECONDS
from tests.chaos.scenarios import Scenario
from tests.chaos.wire import Blow, Strike
from tests.chaos.world import LEASE_SECONDS, Delivery, World


def delivered_again(world: World) -> None:
    """The same message comes to a second worker."""
    for delivery in world.delivered[:1]:
        world.deliver(delivery)


def cancelled(world: World) -> None:
    """The owner cancels, if there is anything to cancel yet."""
    world.cancel()


def outlived(world: World) -> None:
    """The lease runs out, and others see the response to its end: from then on nothing may change."""
    world.clock.advance(LEASE_SECONDS)
    world.settle()
    world.seen = world.visible() or None


def succeeded(world: World) -> None:
    """The lease runs out, and a successor has just fenced the log when the first one goes on."""
    fenced = Strike(at="PutItem log#", blow=Blow.PAUSED_AFTER, meanwhile=World.oldest_goes_on)
    world.clock.advance(LEASE_SECONDS)
    world.work(fenced)
    if world.tables.open():
        world.clock.advance(LEASE_SECONDS)
        world.sweep()
        world.work(fenced)


MEANWHILE: dict[str, Callable[[World], None]] = {
    "delivered to a second worker": delivered_again,
    "cancelled": cancelled,
    "paused until others have ended it": outlived,
    "paused until a successor has fenced": succeeded,
}


def _three(world: World) -> list[Delivery]:
    for _ in range(3):
        world.accept()
    return world.received()


def _each_twice(world: World) -> None:
    for delivery in _three(world):
        world.deliver(delivery)
        world.deliver(delivery)


def _out_of_order(world: World) -> None:
    first, second, third = _three(world)
    for delivery in (third, first, third, second, first, second):
        world.deliver(delivery)


def _late(world: World) -> None:
    deliveries = _three(world)
    for delivery in deliveries:
        world.deliver(delivery)
    world.clock.advance(VISIBILITY_SECONDS)
    for delivery in reversed(deliveries):
        world.deliver(delivery)


def _to_two_at_once(world: World) -> None:
    for delivery in _three(world):
        world.deliver_to_two(delivery)


ODD = {
    each.name: each
    for each in (
        Scenario(name="each message twice", play=_each_twice),
        Scenario(name="messages out of order", play=_out_of_order),
        Scenario(name="messages long after the end", play=_late),
        Scenario(name="messages to two workers at once", play=_to_two_at_once),
    )
}
"""Deliveries that SQS may make: at least once, at any time, in any order."""
