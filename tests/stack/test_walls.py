"""A worker whose time ends: Lambda kills it at its timeout, so it stops by itself shortly before."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.stack.conftest import HURRIED
from tests.stack.inside import log_of
from tests.stack.talking import ask, ended, error_of, simulated, statuses

pytestmark = pytest.mark.xdist_group("fragile")

LONG = "Write 800 words about rivers."
"""More than ten seconds at the simulator's speed."""
_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_TIMEOUT = 8
_WALL_MARGIN = 4
_WALL_SECONDS = _TIMEOUT - _WALL_MARGIN


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Run the template with workers of a few seconds, and without a provider."""
    folder = tmp_path_factory.mktemp("walled")
    for name in ("functions", "layers"):
        (folder / name).symlink_to(_TEMPLATE.parent / name)
    before, worker = _TEMPLATE.read_text(encoding="utf-8").split("  WorkerFunction:\n")
    template = folder / "template.yaml"
    shorter = worker.replace("Timeout: 900", f"Timeout: {_TIMEOUT}", 1)
    template.write_text(f"{before}  WorkerFunction:\n{shorter}", encoding="utf-8")
    environment = HURRIED | {"WALL_MARGIN_SECONDS": str(_WALL_MARGIN), "TAKE_MARGIN_SECONDS": str(_TIMEOUT)}
    with LocalStack(template=template, environment=environment, schedule_seconds=1) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(walled: LocalStack) -> Iterator[OpenAI]:
    """Call that stack."""
    with OpenAI(base_url=walled.url, api_key="sk-local") as client:
        yield client


def test_a_model_call_that_meets_the_wall_twice_fails(walled: LocalStack, sdk: OpenAI) -> None:
    """Once is bad luck, and it starts over with a worker to itself; a third time would be no better."""
    too_long = ask(sdk, LONG, model="simulator-restarts")

    failed = ended(sdk, too_long.id, within=4 * _WALL_SECONDS)

    assert error_of(failed)["code"] == "model_call_too_long"
    assert statuses(failed) == ["incomplete", "incomplete"]
    assert {batch.epoch for batch in log_of(walled, too_long.id)} == {0, 1, 2}
    assert walled.invocations()["WorkerFunction"]["timeouts"] == 0


def test_a_model_that_goes_on_gets_past_any_number_of_walls(walled: LocalStack, sdk: OpenAI) -> None:
    """It gets further each time: one message, to a letter what it would have said in one go."""
    response = ended(sdk, ask(sdk, LONG, model="simulator").id, within=60)

    assert (response.status, statuses(response)) == ("completed", ["completed"])
    assert response.output_text == simulated(LONG)
    assert len({batch.epoch for batch in log_of(walled, response.id)}) > 2


def test_an_unknown_model_is_refused_before_anything_is_stored(sdk: OpenAI) -> None:
    """Without a provider only the catalogue's models exist. The error names the parameter, as OpenAI's do."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, "Hello", model="gpt-unknown")

    assert (caught.value.param, caught.value.code) == ("model", "model_not_found")
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("gpt-unknown")


def test_short_answers_are_not_disturbed_by_the_wall(sdk: OpenAI) -> None:
    """What fits is answered in one go."""
    response = ended(sdk, ask(sdk, "Hello").id)

    assert response.output_text == simulated("Hello")
