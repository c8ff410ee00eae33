"""Settings are read once and complain once."""

from dataclasses import MISSING, fields

import pytest

from meanwhile.settings import Settings, SettingsError

WHERE = {
    "RESPONSES_TABLE": "responses",
    "OWNER_KEYS_TABLE": "owner-keys",
    "API_KEYS_TABLE": "api-keys",
    "THREADS_TABLE": "threads",
    "BUCKET": "payloads",
    "MASTER_KEY": "alias/meanwhile",
    "WORK_QUEUE_URL": "https://sqs/work",
    "SOLO_QUEUE_URL": "https://sqs/solo",
}


def test_only_where_things_are_must_be_said() -> None:
    """A function that starts with its template's seven addresses is complete; the rest has defaults."""
    settings = Settings.from_env(WHERE)

    required = {field.name.upper() for field in fields(Settings) if field.default is MISSING}
    assert required == set(WHERE)
    assert (settings.responses_table, settings.bucket) == ("responses", "payloads")


def test_a_variable_is_read_as_its_fields_type() -> None:
    """The environment holds text; the program compares numbers."""
    settings = Settings.from_env(
        {**WHERE, "SLOTS": "7", "LEASE_SECONDS": "1.5", "LOCAL_API_KEYS": "True", "BUCKET": "7"}
    )

    assert settings.slots == 7
    assert settings.lease_seconds == 1.5
    assert settings.local_api_keys is True
    assert settings.bucket == "7"


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_a_switch_has_two_positions(text: str, value: bool) -> None:  # noqa: FBT001  # it is the table's column
    """`LOCAL_API_KEYS=false` must never open the door, as any non-empty text would in a careless reading."""
    assert Settings.from_env({**WHERE, "LOCAL_API_KEYS": text}).local_api_keys is value


def test_one_error_names_everything_that_is_wrong() -> None:
    """Whoever deploys mends all of it at once, not one variable per attempt."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"BUCKET": "b", "SLOTS": "many", "LEASE_SECONDS": "", "LOCAL_API_KEYS": "perhaps"})

    message = str(caught.value)
    for said in (
        "RESPONSES_TABLE is not set",
        "OWNER_KEYS_TABLE is not set",
        "API_KEYS_TABLE is not set",
        "THREADS_TABLE is not set",
        "MASTER_KEY is not set",
        "WORK_QUEUE_URL is not set",
        "SOLO_QUEUE_URL is not set",
        "SLOTS is not a int",
        "LEASE_SECONDS is not a float",
        "LOCAL_API_KEYS is not a bool",
    ):
        assert said in message
    assert "BUCKET" not in message


def test_an_error_shows_no_value() -> None:
    """A secret pasted into the wrong variable must not end in a log."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({**WHERE, "SLOTS": "sk-secret"})

    assert "sk-secret" not in str(caught.value)


def test_what_is_no_setting_is_ignored() -> None:
    """Lambda's environment holds dozens of variables that are not ours."""
    assert Settings.from_env({**WHERE, "AWS_REGION": "us-east-1"}) == Settings.from_env(WHERE)


def test_the_local_keys_are_refused_unless_asked_for() -> None:
    """`sk-local` opens every laptop; it opens nothing that was deployed."""
    assert Settings.from_env(WHERE).local_api_keys is False
