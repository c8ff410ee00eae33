"""Keys from the command line to the SDK, through the whole service."""

import json
import subprocess
from typing import Any

import pytest
from openai import AuthenticationError, NotFoundError, OpenAI

from infra.local.client import LocalStack
from tests.stack.test_cli import run
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("stack")


def made(stack: LocalStack, *arguments: str) -> dict[str, Any]:
    """Run a command that prints one object."""
    ran = run(stack, *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_key_works_until_it_is_revoked(stack: LocalStack) -> None:
    """Made beside the running service and revoked beside it: both functions see both."""
    key = made(stack, "keys", "create", "laptops", "--name", "mine")
    with OpenAI(base_url=stack.url, api_key=key["key"], max_retries=0) as mine:
        asked = mine.responses.create(model="simulator-fast", input="Hi", background=True)
        mine.models.list()

        made(stack, "keys", "revoke", key["id"])

        def is_closed(call: str) -> bool:
            try:
                mine.models.list() if call == "api" else mine.responses.retrieve(asked.id)
            except AuthenticationError:
                return True
            return False

        assert eventually(lambda: is_closed("api"))
        assert eventually(lambda: is_closed("stream"))


def test_a_users_answers_are_that_users_alone(stack: LocalStack) -> None:
    """An application with one key keeps its users apart by a header that the SDK sends along."""
    key = made(stack, "keys", "create", "app", "--scope", "act_as")["key"]
    with OpenAI(base_url=stack.url, api_key=key) as app:
        alice = app.with_options(default_headers={"X-On-Behalf-Of": "alice@example.com"})
        asked = alice.responses.create(model="simulator-fast", input="Hi")

        assert asked.status == "completed"
        assert alice.responses.retrieve(asked.id).output_text == asked.output_text
        with pytest.raises(NotFoundError):
            app.responses.retrieve(asked.id)


def test_a_deleted_owner_is_out(stack: LocalStack) -> None:
    """The last that an owner hears; what was kept cannot be opened any more."""
    key = made(stack, "keys", "create", "leavers")
    with OpenAI(base_url=stack.url, api_key=key["key"], max_retries=0) as leaver:
        leaver.responses.create(model="simulator-fast", input="Hi")

        done = made(stack, "owners", "delete", "leavers", "--yes")
        again: subprocess.CompletedProcess[str] = run(stack, "keys", "create", "leavers")

        def is_closed() -> bool:
            try:
                leaver.models.list()
            except AuthenticationError:
                return True
            return False

        assert done["keys"] == [key["id"]]
        assert (again.returncode, again.stderr) == (1, "This owner was deleted.\n")
        assert eventually(is_closed)
