"""What is played: one line of the table each. Every call of every process in it is struck, one at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meanwhile.domain.request import Request
from tests.chaos.service import MODEL, item_of
from tests.chaos.wire import Blow, Strike

if TYPE_CHECKING:
    from tests.chaos.world import World

_WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius"]}},
        "required": ["city", "unit"],
    },
}


def _asked(text: str, *, model: str = MODEL, **more: object) -> Request:
    return Request(model=model, input=[item_of(text, "msg_1")], background=True, **more)  # type: ignore[arg-type]


def _answered(world: "World") -> None:
    world.accept()
    world.work()


def _asked_again(world: "World") -> None:
    """The client asks until it is told an id, as an SDK does."""
    world.accept(key="once")
    world.work()


def _in_a_conversation(world: "World") -> None:
    """Whatever becomes of the worker, its message is lost: the sweeper finds what is left, or nobody does."""
    with world.unharmed():
        world.begin("Hello.", "You tell stories of the sea.")
    world.accept(request=replace(world.scenario.request, conversation=world.conversation))
    try:
        world.work()
    finally:
        world.lose_messages()


def _continuing(world: "World") -> None:
    with world.unharmed():
        world.accept()
        world.work()
        world.is_past()
    world.accept(request=replace(world.scenario.request, previous_response_id=world.past[0]))
    world.work()


def _cancelled_meanwhile(world: "World") -> None:
    world.accept()
    world.work(Strike(at="PutItem log#000002", blow=Blow.PAUSED, meanwhile=lambda world: world.cancel()))


def _died_over(world: "World") -> None:
    with world.unharmed():
        world.accept()
        world.work(Strike(at="PutItem log#000002", blow=Blow.DEAD_AFTER))


def _gone_on_with(world: "World") -> None:
    """A worker died with words in the log, and its message comes back."""
    _died_over(world)
    world.clock.advance(31)
    world.work()


def _taken_over(world: "World") -> None:
    """A worker died with words in the log, and its message is gone: dropped by who found its lease alive."""
    _died_over(world)
    with world.unharmed():
        world.lose_messages()
    world.clock.advance(61)
    world.sweep()
    world.work()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story, and how it is played."""

    name: str
    request: Request = field(default_factory=lambda: _asked("Write 12 words about a lighthouse."))
    play: Callable[["World"], None] = _answered
    settings: Mapping[str, float] = field(default_factory=dict)


SCENARIOS = {
    each.name: each
    for each in (
        Scenario(name="plain answer"),
        Scenario(name="asked again under its key", play=_asked_again),
        Scenario(name="function call", request=_asked("What is the weather in Oslo?", tools=[_WEATHER])),
        Scenario(name="large payload", settings={"inline_bytes": 100}),
        Scenario(name="long silence", settings={"heartbeat_seconds": 0.1}),
        Scenario(name="in a conversation", play=_in_a_conversation),
        Scenario(name="continuing a response", play=_continuing),
        Scenario(name="cancel race", play=_cancelled_meanwhile),
        Scenario(name="takeover by the sweeper", play=_taken_over),
        Scenario(name="continuation", play=_gone_on_with),
        Scenario(
            name="starting over",
            request=_asked("Write 12 words about a lighthouse.", model="simulator-restarts"),
            play=_gone_on_with,
        ),
    )
}
