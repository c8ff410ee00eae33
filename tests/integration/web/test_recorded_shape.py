"""What comes over HTTP has the shape of recorded traffic: keys, types, and what is null when."""

from typing import Any

import httpx
import pytest

from tests.integration.web.world import World
from tests.unit.domain import recorded

pytestmark = pytest.mark.anyio

ASKED = {"model": "simulator", "input": "What is 2 + 2?", "background": True}


async def test_a_background_answer_is_shaped_as_recorded_from_queued_to_completed(
    http: httpx.AsyncClient, world: World
) -> None:
    """Typed clients fail on a missing key, and on a null where a number should be."""
    made = (await http.post("/responses", json=ASKED)).json()
    path = f"/responses/{made['id']}"
    seen: list[dict[str, Any]] = [made, (await http.get(path)).json()]
    world.start(made["id"])
    seen.append((await http.get(path)).json())
    world.finish(made["id"], "2 + 2", " equals 4.", mend=False)
    seen.append((await http.get(path)).json())
    world.end(made["id"])
    seen.append((await http.get(path)).json())

    assert [each["status"] for each in seen] == [
        "queued", "queued", "in_progress", "completed", "completed",
    ]  # fmt: skip
    for each in seen:
        recorded.check_response(each)
    assert seen[0] == seen[1]
    assert seen[3] == seen[4]
    assert [each["output"] for each in seen[:3]] == [[], [], []]
    (item,) = seen[-1]["output"]
    assert set(item) == recorded.MESSAGE_KEYS
    assert [set(part) for part in item["content"]] == [recorded.PART_KEYS]
    assert item["content"][0]["text"] == "2 + 2 equals 4."


async def test_an_answer_that_somebody_waits_for_is_shaped_the_same(
    http: httpx.AsyncClient, world: World
) -> None:
    """Whoever waits reads the same object; one given up early reads it as it stands."""
    world.set(wait_limit_seconds=0.01)

    made = (await http.post("/responses", json=ASKED | {"background": False})).json()

    assert made["status"] == "in_progress"
    recorded.check_response(made)
