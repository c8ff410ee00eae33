"""The program: its arguments, its words and its exit codes."""

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from meanwhile.cli.app import app
from tests.unit.cli.fake_service import ID, FakeService, refusal, response

LOOK = f"GET /responses/{ID}"
DONE = response("completed", "Because it scatters.")


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    """Run a command line; standard output is no terminal."""
    return CliRunner().invoke(app, list(arguments), input=stdin)


@pytest.fixture
def answering(service: FakeService) -> FakeService:
    """Return a service that has the answer at once."""
    service.on("POST /responses", response("queued"))
    service.on(LOOK, DONE)
    return service


def test_ask_prints_the_answer_and_nothing_else(answering: FakeService) -> None:
    """What is said about it goes to standard error."""
    ran = run("ask", "Why is the sky blue?")

    assert (ran.exit_code, ran.stdout) == (0, "Because it scatters.\n")
    assert ran.stderr.startswith(f"{ID} · simulator\n")
    assert "\x1b" not in ran.output
    posted = answering.asked[0]
    assert posted.body == {"model": "simulator", "input": "Why is the sky blue?", "background": True}
    assert posted.headers["authorization"] == "Bearer sk-local"


def test_ask_takes_a_model_and_instructions(answering: FakeService) -> None:
    """As the API names them."""
    run("ask", "Hi", "--model", "m-1", "-i", "Be brief.")

    assert answering.asked[0].body == {
        "model": "m-1",
        "input": "Hi",
        "background": True,
        "instructions": "Be brief.",
    }


@pytest.mark.parametrize(
    ("option", "value", "parameter"),
    [("--after", ID, "previous_response_id"), ("--conversation", f"conv_{'0' * 48}", "conversation")],
)
def test_ask_goes_on_where_others_have_stopped(
    option: str, value: str, parameter: str, answering: FakeService
) -> None:
    """Behind a response, or in a conversation: the service knows what was said."""
    run("ask", "And then?", option, value)

    assert answering.asked[0].body is not None
    assert answering.asked[0].body[parameter] == value


@pytest.mark.parametrize("wrong", [("--after", "conv_1"), ("--after", ID, "--conversation", "conv_1")])
def test_ask_goes_on_behind_one_thing(wrong: tuple[str, ...], answering: FakeService) -> None:
    """What cannot be is said before anything is sent."""
    ran = run("ask", "And then?", *wrong)

    assert (ran.exit_code, answering.asked) == (2, [])


def test_the_environment_names_a_model(answering: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever always asks the same one need not type it."""
    monkeypatch.setenv("MEANWHILE_MODEL", "m-2")

    run("ask", "Hi")

    assert answering.asked[0].body is not None
    assert answering.asked[0].body["model"] == "m-2"


def test_ask_reads_standard_input(answering: FakeService) -> None:
    """Long questions come from files."""
    run("ask", "-", stdin="Line one\nLine two ü")

    assert answering.asked[0].body is not None
    assert answering.asked[0].body["input"] == "Line one\nLine two ü"


def test_no_wait_prints_the_id(answering: FakeService) -> None:
    """`id=$(meanwhile ask --no-wait ...)`."""
    ran = run("ask", "Hi", "--no-wait")

    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, f"{ID}\n", "")
    assert len(answering.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["ask", "Hi", "--json"], [DONE]),
        (["ask", "Hi", "--json", "--no-wait"], [response("queued")]),
        (["watch", ID, "--json"], [DONE]),
        (["responses", "--json"], [DONE, DONE]),
        (["models", "--json"], [{"id": "a", "owned_by": "x"}]),
        (["cancel", ID, ID, "--json"], [response("cancelled")] * 2),
        (["delete", ID, "--json"], [{"id": ID, "object": "response.deleted", "deleted": True}]),
    ],
)
def test_json_is_one_object_per_line(
    answering: FakeService, arguments: list[str], found: list[dict[str, Any]]
) -> None:
    """The API's own objects, for jq and for programs that read line by line."""
    answering.on("GET /responses?limit=20", {"data": [DONE, DONE], "has_more": False})
    answering.on("GET /models", {"data": [{"id": "a", "owned_by": "x"}]})
    answering.on(f"POST /responses/{ID}/cancel", response("cancelled"))
    answering.on(f"DELETE /responses/{ID}", {"id": ID, "object": "response.deleted", "deleted": True})

    ran = run(*arguments)

    assert [json.loads(line) for line in ran.stdout.splitlines()] == found
    assert (ran.exit_code, ran.stderr) == (0, "")


def test_lists_in_a_pipe_have_tabs_between_columns(service: FakeService) -> None:
    """`cut`, `awk` and `sort` need no more."""
    service.on("GET /responses?limit=20", {"data": [DONE], "has_more": False})
    service.on("GET /models", {"data": [{"id": "a", "owned_by": "x"}]})

    assert run("responses").stdout.split("\t")[:3] == [ID, "completed", "simulator"]
    assert run("models").stdout == "a\tx\n"


# ── What goes wrong ───────────────────────────────────────────────────────────────────────────────────


def test_a_stack_that_is_not_up_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most frequent mistake of all."""
    with socket.socket() as held:  # nobody else may take the port, and nobody listens
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        monkeypatch.setenv("MEANWHILE_URL", url)

        ran = run("ask", "Hi")

    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == f"Nothing answers at {url}. Is `make up` running?\n"


def test_a_key_that_nobody_knows_is_named_as_the_reason(service: FakeService) -> None:
    """The service's sentence, and what to do."""
    service.on("POST /responses", refusal(401, "Incorrect API key."))

    ran = run("ask", "Hi")

    assert ran.exit_code == 1
    assert "did not take the API key: Incorrect API key. Set MEANWHILE_API_KEY" in ran.stderr


def test_an_id_that_is_not_there_is_said_in_the_services_words(service: FakeService) -> None:
    """They name the id."""
    service.on(LOOK, refusal(404, f"Response with id '{ID}' not found."))

    ran = run("watch", ID)

    assert (ran.exit_code, ran.stderr) == (1, f"Response with id '{ID}' not found.\n")


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["ask", " "], ""),
        (["ask", "-"], ""),
        (["ask", "-"], b"\xff"),
        (["ask"], ""),
        (["watch", "msg_1"], ""),
        (["delete", ""], ""),
        (["cancel", ID, "../models"], ""),
        (["cancel"], ""),
        (["responses", "--status", "odd"], ""),
        (["responses", "--limit", "0"], ""),
        (["nonsense"], ""),
    ],
)
def test_wrong_usage_calls_nobody(service: FakeService, arguments: list[str], stdin: str | bytes) -> None:
    """Exit code 2, as everywhere."""
    ran = run(*arguments, stdin=stdin)

    assert ran.exit_code == 2
    assert "Usage:" in ran.stderr
    assert service.asked == []


def test_a_local_key_is_never_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deploys is asked for the key before anything leaves this machine."""
    monkeypatch.delenv("MEANWHILE_API_KEY", raising=False)
    monkeypatch.setenv("MEANWHILE_URL", "https://meanwhile.invalid/v1")

    ran = run("models")

    assert ran.exit_code == 2
    assert ran.stderr == "MEANWHILE_API_KEY is not set, and meanwhile.invalid is not this machine\n"


# ── Help ──────────────────────────────────────────────────────────────────────────────────────────────


def test_help_lists_the_commands_and_the_exit_codes() -> None:
    """The one page that everybody reads."""
    said = " ".join(run("--help").stdout.split())

    for expected in (
        "ask",
        "watch",
        "responses",
        "cancel",
        "delete",
        "models",
        "keys",
        "owners",
        "MEANWHILE_URL",
    ):
        assert expected in said
    assert "0 completed; 1 failed, incomplete or an error; 2 wrong usage; 3 cancelled; 130" in said


@pytest.mark.parametrize("command", [["ask"], ["keys", "create"], ["owners", "delete"]])
def test_help_loads_neither_http_nor_rich(command: list[str]) -> None:
    """They take longer than everything else: help and a mistyped option answer at once without them."""
    script = (
        "import sys, meanwhile.cli.app as it\n"
        f"try: it.app({[*command, '--help']})\n"
        "except SystemExit: pass\n"
        "print(sorted({'httpx', 'rich', 'openai', 'boto3', 'pynamodb'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603  # our own interpreter and our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"
