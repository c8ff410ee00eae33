"""`meanwhile keys` and `meanwhile owners` against a CloudFormation stack, as people type them."""

import json
from functools import cache
from typing import Any

import pytest
import typer
from samtranslator.yaml_helper import yaml_parse
from typer.testing import CliRunner, Result

from infra.local.client import LocalStack
from meanwhile.cli.app import app
from meanwhile.domain.errors import OwnerDeleted
from meanwhile.domain.keys import hash_of
from meanwhile.operations.accounts.authenticate import Authenticate
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from tests.support.aws import REGION, client, connected
from tests.support.clock import Clock

STACK = "meanwhile"
PARTS = ("ApiKeysTable", "OwnerKeysTable", "MasterKey", "ThreadsTable")


class Deployed:
    """What the stack made, for tests that look inside."""

    def __init__(self) -> None:
        found = client("cloudformation").describe_stack_resources(StackName=STACK)
        made = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found["StackResources"]}
        self.keys = ApiKeys(connected(api_keys_in(made["ApiKeysTable"])))
        self.keyring = Keyring(
            connected(wrapped_keys_in(made["OwnerKeysTable"])),
            lambda: client("kms"),
            master_key=made["MasterKey"],
            now=Clock(),
            cache_seconds=0,
            sealing_seconds=0,
        )

    def owner(self, secret: str, *, at: float) -> str:
        """Return whose a key is at a time."""
        return Authenticate(self.keys, now=Clock(at), cache_seconds=0)(secret).account


@cache
def _body() -> str:
    resources = yaml_parse((LocalStack().template).read_text())["Resources"]
    return json.dumps({"Resources": {part: resources[part] for part in PARTS}})


@pytest.fixture
def deployed(on_moto: None, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ARG001  # moto first
    """Deploy the parts of the template that the commands need, and name the stack."""
    stacks = client("cloudformation")
    stacks.create_stack(StackName=STACK, TemplateBody=_body())
    monkeypatch.setenv("MEANWHILE_STACK", STACK)
    monkeypatch.setenv("MEANWHILE_URL", "https://api.invalid/v1")
    for name in ("MEANWHILE_API_KEY", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    yield Deployed()
    stacks.delete_stack(StackName=STACK)


def run(*arguments: str, stdin: str = "") -> Result:
    """Run a command line; standard output is no terminal."""
    return CliRunner().invoke(app, list(arguments), input=stdin)


def objects(*arguments: str) -> list[dict[str, Any]]:
    """Run a command line that prints objects."""
    ran = run(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_create_prints_the_key_alone_and_the_rest_beside(deployed: Deployed) -> None:
    """`export MEANWHILE_API_KEY=$(meanwhile keys create team)` needs no cutting."""
    ran = run("keys", "create", "team")

    secret = ran.stdout.strip()
    key = deployed.keys.find(hash_of(secret))
    assert ran.exit_code == 0
    assert key is not None
    assert ran.stderr == f"{key.id} of team on the stack {STACK} in {REGION}. It is not shown again.\n"


def test_create_takes_a_name_a_scope_and_an_end(deployed: Deployed) -> None:
    """What `list` shows afterwards, without the key."""
    (made,) = objects("keys", "create", "team", "--name", "app", "--scope", "act_as", "--expires-in", "90d")
    (listed,) = objects("keys", "list", "team")

    assert made["expires_at"] - made["created_at"] == 90 * 86_400
    assert (made["name"], made["scopes"], made["owner"]) == ("app", ["act_as"], "team")
    assert deployed.owner(made.pop("key"), at=made["created_at"]) == "team"
    assert listed == made | {"state": "good"}


def test_list_shows_one_owners_keys_or_all(deployed: Deployed) -> None:
    """In a pipe with tabs between columns, as all lists."""
    (first,), (second,) = objects("keys", "create", "a"), objects("keys", "create", "b")
    run("keys", "revoke", first["id"])

    assert deployed.keys.find(hash_of(second["key"]))
    assert [line.split("\t")[:3] for line in run("keys", "list").stdout.splitlines()] == [
        [first["id"], "a", "revoked"],
        [second["id"], "b", "good"],
    ]
    assert [each["id"] for each in objects("keys", "list", "b")] == [second["id"]]


@pytest.mark.parametrize("command", ["create", "rotate"])
def test_a_key_that_cannot_be_shown_is_named(
    deployed: Deployed, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the table, opens doors, and nobody has it: whoever made it must hear which one to end."""
    (old,) = objects("keys", "create", "team")
    echo = typer.echo

    def full(message: object, **more: Any) -> None:
        if not more.get("err"):
            raise OSError(28, "No space left on device")
        echo(message, **more)

    monkeypatch.setattr(typer, "echo", full)
    ran = run("keys", command, "team" if command == "create" else old["id"])

    (lost,) = [key for key in deployed.keys.all() if key.id != old["id"]]
    assert ran.exit_code == 1
    assert f"meanwhile keys revoke {lost.id}" in ran.stderr
    assert "No space left on device" in ran.stderr


def test_rotate_prints_the_new_key_and_when_the_old_one_ends(deployed: Deployed) -> None:
    """The new key alone on standard output, as with create."""
    (old,) = objects("keys", "create", "team")

    ran = run("keys", "rotate", old["id"], "--overlap", "30m")

    new, ended = ran.stdout.strip(), deployed.keys.find(hash_of(old["key"]))
    assert ended is not None
    assert ended.ends_at is not None
    assert 1_800 <= ended.ends_at - old["created_at"] < 1_900
    assert deployed.owner(new, at=ended.ends_at) == "team"
    assert f"{old['id']} ends in 30m" in ran.stderr


def test_revoke_ends_a_key(deployed: Deployed) -> None:
    """Named by its id, never by the key."""
    (made,) = objects("keys", "create", "team")

    assert objects("keys", "revoke", made["id"]) == [{"id": made["id"], "revoked": True}]

    key = deployed.keys.find(hash_of(made["key"]))
    assert key is not None
    assert not key.is_good(made["created_at"])


def test_an_owner_is_deleted_only_when_somebody_says_yes(deployed: Deployed) -> None:
    """It cannot be undone, so the question says what and where."""
    (key,) = objects("keys", "create", "team")
    deployed.keyring.current("team/alice")

    kept = run("owners", "delete", "team", stdin="n\n")
    silent = run("owners", "delete", "team")
    good_until_then = deployed.owner(key["key"], at=key["created_at"])
    gone = run("owners", "delete", "team", stdin="y\n")

    assert (kept.exit_code, silent.exit_code, gone.exit_code) == (1, 1, 0)
    assert good_until_then == "team"
    assert f"of every end user under it on the stack {STACK}" in kept.stderr
    assert f"1 API keys revoked, {key['id']}." in gone.stdout
    assert "1 end users" in gone.stdout
    for owner in ("team", "team/alice"):
        with pytest.raises(OwnerDeleted):
            deployed.keyring.current(owner)


def test_a_script_deletes_one_user_without_being_asked(deployed: Deployed) -> None:
    """A wish to be forgotten, answered by a job."""
    deployed.keyring.current("team/alice")

    assert objects("owners", "delete", "team/alice", "--yes") == [
        {"owner": "team/alice", "deleted": True, "keys": [], "users": []}
    ]
    with pytest.raises(OwnerDeleted):
        deployed.keyring.current("team/alice")


def test_an_owners_data_key_is_rotated(deployed: Deployed) -> None:
    """What was sealed before still opens."""
    before = deployed.keyring.seal("team", "resp_1").close(b"words", "x")

    assert objects("owners", "rotate", "team") == [{"owner": "team", "version": 2}]

    assert deployed.keyring.current("team").version == 2
    assert deployed.keyring.seal("team", "resp_1").open(before, "x") == b"words"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys", "revoke", "key_0"], "There is no key key_0.\n"),
        (["keys", "rotate", "key_0"], "There is no key key_0.\n"),
        (["owners", "delete", "nobody", "--yes"], "Nothing is kept of an owner nobody.\n"),
        (["owners", "rotate", "nobody"], "nobody has no data key yet; the first thing it asks makes one.\n"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(
    deployed: Deployed, arguments: list[str], said: str
) -> None:
    """And nothing is made of it: a misspelt owner would else be a tombstone."""
    ran = run(*arguments)

    assert (ran.exit_code, ran.stdout, ran.stderr) == (1, "", said)
    assert not deployed.keyring.knows("nobody")


def test_a_deleted_owner_gets_no_key(deployed: Deployed) -> None:
    """The service's own sentence."""
    deployed.keyring.destroy("team")

    ran = run("keys", "create", "team")

    assert (ran.exit_code, ran.stdout, ran.stderr) == (1, "", "This owner was deleted.\n")


@pytest.mark.usefixtures("deployed")
def test_a_stack_that_is_not_there_is_said_in_awss_words() -> None:
    """Mostly the wrong region or account."""
    ran = run("keys", "list", "--stack", "other")

    assert ran.exit_code == 1
    assert ran.stderr.startswith("AWS refused: ")
    assert "other" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["keys", "create"],
        ["keys", "create", "a/b"],
        ["keys", "create", "x" * 65],
        ["keys", "create", "team", "--scope", "all"],
        ["keys", "create", "team", "--name", "x" * 101],
        ["keys", "create", "team", "--expires-in", "soon"],
        ["keys", "create", "team", "--expires-in", "-1d"],
        ["keys", "create", "team", "--expires-in", "999999999d"],
        ["keys", "rotate", "sk-mw-secret"],
        ["keys", "revoke", "sk-mw-secret"],
        ["owners", "delete", "a/b/c"],
        ["owners", "delete", ""],
        ["owners", "rotate", "a b"],
    ],
)
def test_wrong_usage_asks_aws_nothing(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2; and a key pasted where an id belongs is not repeated on the screen."""
    monkeypatch.setenv("MEANWHILE_STACK", "never-looked-for")

    ran = run(*arguments)

    assert ran.exit_code == 2
    assert "sk-mw-secret" not in ran.stderr.replace("Usage:", "")


def test_a_service_elsewhere_is_managed_by_its_stacks_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its URL says nothing about where its tables are, and this machine's stack is never taken for it."""
    monkeypatch.delenv("MEANWHILE_STACK", raising=False)
    monkeypatch.setenv("MEANWHILE_URL", "https://api.invalid/v1")

    ran = run("owners", "delete", "team", "--yes")

    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr == ("MEANWHILE_STACK is not set: name the CloudFormation stack there or with --stack\n")
