"""Counting what a request would cost to read, over stores in memory. A message costs a token a character."""

from meanwhile.domain.request import Json, Request
from meanwhile.domain.window import Window
from meanwhile.operations.accepting.count_input import CountInput
from tests.support.compacting import EXPAND
from tests.unit.operations.reading import OWNER, Reading, said, size_of


def test_each_item_is_counted_once() -> None:
    """Counting takes a second for megabytes: trying every border would take a function's whole time."""
    scene = Reading()
    before = [said(f"{number:03}") for number in range(100)]
    previous = scene.ended(scene.accepted(*before))
    counted: list[Json] = []

    def count(request: Request) -> int:
        counted.extend(request.input)
        return 7 + sum(map(size_of, request.input))

    scene.window = Window(tokens=7 + 4 + 3 * 90 + 2, answer=0)
    count_input = CountInput(resolve=scene.all.resolve, context=scene.context, expand=EXPAND, count=count)
    asked = Request(model="m", input=[said("four")], previous_response_id=previous, truncation="auto")

    assert count_input(OWNER, asked) == 7 + 4 + 3 * 90
    assert counted == [said("four"), *before[:8:-1]]
