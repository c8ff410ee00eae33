"""Where the command line finds the service, and with which key."""

import pytest

from meanwhile.settings import ClientSettings, DeploymentSettings, SettingsError


def test_without_a_word_it_is_the_stack_on_this_machine() -> None:
    """`make up` and `meanwhile ask` need nothing in between."""
    assert ClientSettings.from_env({}) == ClientSettings(
        url="http://127.0.0.1:8787/v1", api_key="sk-local", model="simulator"
    )


@pytest.mark.parametrize(
    "url", ["http://localhost:1/v1", "http://a.localhost", "http://[::1]:80/v1", "http://127.9.9.9"]
)
def test_this_machine_has_many_names(url: str) -> None:
    """All of them are served by a stack that knows `sk-local`."""
    assert ClientSettings.from_env({"MEANWHILE_URL": url}).api_key == "sk-local"


@pytest.mark.parametrize("url", ["https://example.com/v1", "http://127.0.0.1.example.com", "http://10.0.0.1"])
def test_another_machine_needs_a_key(url: str) -> None:
    """A key that is empty is none."""
    with pytest.raises(SettingsError, match="MEANWHILE_API_KEY is not set"):
        ClientSettings.from_env({"MEANWHILE_URL": url, "MEANWHILE_API_KEY": ""})

    assert ClientSettings.from_env({"MEANWHILE_URL": url, "MEANWHILE_API_KEY": "sk-1"}).api_key == "sk-1"


@pytest.mark.parametrize(
    "url",
    [
        "example.com/v1", "ftp://example.com", "http://", "http://h:port", "http://[1", "http://h:99999",
        "http://a b/v1", "http://h/\x01v1", "http://h/\udcff", "http://-é..com", f"http://{'a' * 64}.com",
    ],
)  # fmt: skip
def test_what_is_no_url_is_said_to_be_none(url: str) -> None:
    """Before a library says it in its own words."""
    with pytest.raises(SettingsError, match="MEANWHILE_URL"):
        ClientSettings.from_env({"MEANWHILE_URL": url, "MEANWHILE_API_KEY": "sk-1"})


@pytest.mark.parametrize("key", ["sk-ünï", "sk-1\n", "sk\x00"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    """A key with its line end pasted along is common; the message must not show it."""
    with pytest.raises(SettingsError) as caught:
        ClientSettings.from_env({"MEANWHILE_API_KEY": key})

    assert key.strip() not in str(caught.value)


def test_a_model_that_no_request_can_carry_is_refused() -> None:
    """Half a character has no UTF-8."""
    with pytest.raises(SettingsError, match="MEANWHILE_MODEL"):
        ClientSettings.from_env({"MEANWHILE_MODEL": "\udcff"})


# ── Which deployment is managed ───────────────────────────────────────────────────────────────────────


def test_without_a_word_the_stack_on_this_machine_is_managed() -> None:
    """As every other command goes there."""
    found = DeploymentSettings.from_env(None, {"MEANWHILE_STACK": "", "MEANWHILE_URL": ""})

    assert (found.stack, found.url) == ("", ClientSettings().url)


def test_a_stack_is_named_by_the_option_before_the_environment() -> None:
    """Also where the URL is this machine's."""
    env = {"MEANWHILE_STACK": "usual"}

    assert DeploymentSettings.from_env(None, env).stack == "usual"
    assert DeploymentSettings.from_env("other", env).stack == "other"


def test_a_service_elsewhere_says_nothing_about_its_stack() -> None:
    """A command meant for it must not end owners on this machine."""
    with pytest.raises(SettingsError, match="MEANWHILE_STACK is not set"):
        DeploymentSettings.from_env(None, {"MEANWHILE_URL": "https://api.example.com/v1"})
