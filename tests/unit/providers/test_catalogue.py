"""Which models there are, and who serves them."""

import subprocess
import sys

import pytest

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import Catalogue, ModelEntry, _read
from meanwhile.providers.router import Providers
from meanwhile.providers.simulator import Simulator
from meanwhile.settings import Settings

ALONE = Catalogue.load(has_upstream=False)
WITH_UPSTREAM = Catalogue.load(has_upstream=True)
SETTINGS = Settings(
    responses_table="t",
    owner_keys_table="k",
    api_keys_table="a",
    threads_table="h",
    bucket="b",
    master_key="m",
    work_queue_url="q",
    solo_queue_url="s",
    model_base_url="http://x/v1",
)


def test_the_simulators_are_there_without_any_setting() -> None:
    """A first look needs no key."""
    speeds = {each.id: each.tokens_per_second for each in ALONE.list()}

    assert speeds == {
        "simulator": 80,
        "simulator-slow": 5,
        "simulator-fast": 0,
        "simulator-restarts": 80,
        "simulator-small": 0,
    }


def test_a_model_nobody_knows_is_the_caller_s_mistake() -> None:
    """The words and the code are the real API's."""
    with pytest.raises(InvalidRequest, match="The model 'gpt-x' does not exist") as caught:
        ALONE.find("gpt-x")

    assert (caught.value.param, caught.value.narrow_code) == ("model", "model_not_found")


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("llama3.1:8b", "max_tokens"),
        ("gpt-4o-mini", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-5.6-sol", "max_completion_tokens"),
        ("olmo-2", "max_tokens"),
    ],
)
def test_with_an_upstream_every_other_id_goes_there(model: str, limit: str) -> None:
    """Nobody wants to list the models of a server they run themselves."""
    entry = WITH_UPSTREAM.find(model)

    assert (entry.id, entry.provider, entry.output_limit) == (model, "chat_completions", limit)


def test_an_upstream_does_not_take_the_simulators_over() -> None:
    """What the catalogue names it serves itself."""
    assert WITH_UPSTREAM.find("simulator").provider == "simulator"


def test_each_model_has_its_provider() -> None:
    """The limits come from the settings where the entry has none."""
    from meanwhile.providers.chat_completions import ChatCompletions

    providers = Providers(WITH_UPSTREAM, SETTINGS, lambda _, text: len(text))
    simulated, upstream = providers.provider_for("simulator-slow"), providers.provider_for("llama")

    assert isinstance(simulated, Simulator)
    assert simulated.tokens_per_second == 5
    assert isinstance(upstream, ChatCompletions)
    assert (upstream.first_token_seconds, upstream.gap_seconds) == (600, 120)


def test_a_way_of_continuing_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a mistake of whoever deploys, and would only show after a crash."""
    monkeypatch.setattr(
        "meanwhile.providers.catalogue.tomllib.loads",
        lambda _: {
            "models": [],
            "upstream": [{"match": "team/*", "continuation": "continue_last_message"}],
        },
    )

    with pytest.raises(ValueError, match=r"team/\* cannot have the continuation 'continue_last_message'"):
        _read.__wrapped__()


def test_a_model_continues_if_the_catalogue_says_how() -> None:
    """An upstream does not, until somebody has tried it out; one that is gone does not either."""
    providers = Providers(WITH_UPSTREAM, SETTINGS, lambda _, text: len(text))
    alone = Providers(ALONE, SETTINGS, lambda _, text: len(text))

    continuing = {each.id for each in ALONE.list() if alone.continues(each.id)}

    assert continuing == {"simulator", "simulator-slow", "simulator-fast", "simulator-small"}
    assert not providers.continues("llama")
    assert not alone.continues("llama")


def test_tokens_are_counted_by_the_model_s_own_vocabulary() -> None:
    """The simulator has one of its own, and an upstream's is in its entry."""
    providers = Providers(WITH_UPSTREAM, SETTINGS, lambda name, text: len(f"{name} {text}"))

    assert providers.provider_for("gpt-5").count("ab") == len("o200k_base ab")
    assert providers.provider_for("simulator").count("two words") == 2


@pytest.mark.parametrize(("images", "files"), [(True, True), (False, True), (True, False)])
def test_a_window_knows_what_its_model_can_be_shown(*, images: bool, files: bool) -> None:
    """Of what was said to another model before; to one that nobody knows everything is shown."""
    entry = ModelEntry(id="m", provider="simulator", images=images, files=files)
    catalogue = Catalogue({"m": entry})

    window = catalogue.window_for(Request(model="m", input=[]), otherwise=1)
    unknown = catalogue.window_for(Request(model="x", input=[]), otherwise=1)

    assert (window.sees_images, window.reads_files) == (images, files)
    assert (unknown.sees_images, unknown.reads_files) == (True, True)


def test_neither_catalogue_nor_simulator_loads_an_http_client() -> None:
    """The API reads the catalogue, and should not pay 50 ms of cold start for a client it never uses."""
    code = (
        "import sys, meanwhile.providers.router as r, meanwhile.providers.catalogue as c;"
        "c.Catalogue.load(has_upstream=True); sys.exit('httpx' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # our own code
