"""From keys to owners."""

import hashlib

import pytest

from meanwhile.settings import Settings, SettingsError
from meanwhile.web.auth import owner_of


def settings(*, keys: str = "", local: bool = False) -> Settings:
    """Return settings that know these keys."""
    return Settings(
        responses_table="t",
        owner_keys_table="k",
        bucket="b",
        master_key="m",
        work_queue_url="w",
        solo_queue_url="s",
        api_keys=keys,
        local_api_keys=local,
    )


def sha(key: str) -> str:
    """Return what is configured of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("sk-local", "local"),
        ("sk-local-alice", "alice"),
        ("sk-local-a.b_c-d", "a.b_c-d"),
        ("sk-local-" + "x" * 64, "x" * 64),
        ("sk-local-" + "x" * 65, None),
        ("sk-local-", None),
        ("sk-local-a b", None),
        ("sk-local-é", None),
        ("sk-local-alice\n", None),
        ("SK-LOCAL", None),
        ("", None),
    ],
)
def test_on_one_machine_the_key_names_its_owner(key: str, owner: str | None) -> None:
    """Several owners can be played without configuring any."""
    assert owner_of(key, settings(local=True)) == owner


@pytest.mark.parametrize("key", ["sk-local", "sk-local-alice"])
def test_elsewhere_the_local_keys_open_nothing(key: str) -> None:
    """They are printed in the README."""
    assert owner_of(key, settings()) is None


def test_a_configured_key_belongs_to_its_owner() -> None:
    """An owner may have several keys, for instance while one is replaced."""
    keys = f"team={sha('old')}, team={sha('new').upper()},other={sha('éclair')},"

    assert owner_of("old", settings(keys=keys)) == "team"
    assert owner_of("new", settings(keys=keys)) == "team"
    assert owner_of("éclair", settings(keys=keys)) == "other"
    assert owner_of(sha("old"), settings(keys=keys)) is None


@pytest.mark.parametrize(
    "wrong", ["team", "team=abc", f"te am={'0' * 64}", f"={'0' * 64}", f"team={'0' * 64};"]
)
def test_a_key_that_is_configured_wrongly_is_noticed(wrong: str) -> None:
    """Left out in silence, it would look like a caller's mistake. The error repeats nothing of it."""
    with pytest.raises(SettingsError, match="pair 2 is not owner=sha256") as caught:
        owner_of("key", settings(keys=f"good={sha('x')},{wrong}"))

    assert wrong not in str(caught.value)
