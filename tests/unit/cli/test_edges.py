"""The program where its surroundings are not what it expects: one line each, and a documented exit code."""

import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from meanwhile.cli import lists
from meanwhile.cli.app import app
from meanwhile.cli.prose import Prose
from tests.unit.cli.fake_service import ID, Answer, FakeService

_PROGRAM = [sys.executable, "-m", "meanwhile.cli"]


def started(*arguments: str | bytes, redirected: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program as a process; `redirected` says what it reads and writes."""
    command = ["sh", "-c", f'"$@" {redirected}', "sh", *_PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, check=False, encoding="utf-8")  # noqa: S603  # ours


@pytest.mark.parametrize(
    "arguments",
    [
        (b"ask", b"bad \xff byte"),
        (b"ask", b"Hi", b"-m", b"\xff"),
        (b"ask", b"Hi", b"-i", b"\xff"),
        (b"cancel", b"resp_\xff"),
        (b"keys", b"create", b"a\xff"),
    ],
)
def test_an_argument_that_is_no_text_is_refused(arguments: tuple[bytes, ...]) -> None:
    """A file's name, or another encoding: half a character can neither be sent nor shown."""
    done = started(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "An argument is not text in this terminal's encoding.\n"


@pytest.mark.parametrize("arguments", [("--help",), ("ask", "Hi", "--no-wait")])
def test_a_disk_that_is_full_is_said_to_be(service: FakeService, arguments: tuple[str, ...]) -> None:
    """Not in thirty lines of Python, and never with a 0."""
    service.on("POST /responses", {"id": ID, "status": "queued"})

    done = started(*arguments, redirected=">/dev/full")

    assert (done.returncode, done.stderr) == (1, "It cannot be written: No space left on device.\n")


@pytest.mark.parametrize(
    ("arguments", "shell", "code", "said"),
    [
        (("--help",), ">&-", 1, "Standard output is closed."),
        (("ask", "-"), "<&-", 2, "The question is empty."),
        (("--help",), "2>&-", 0, ""),
    ],
)
def test_what_is_closed_is_said_to_be(arguments: tuple[str, ...], shell: str, code: int, said: str) -> None:
    """Programs that start others close what they do not want."""
    done = started(*arguments, redirected=shell)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_it_is_loaded_ends_it_quietly() -> None:
    """Half of the time that a short command takes is loading."""
    script = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from meanwhile.cli.__main__ import main\n"
        "main()\n"
    )

    done = subprocess.run(  # noqa: S603  # our own interpreter and our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("url", "variable", "value"),
    [
        ("https://meanwhile.invalid/v1", "SSL_CERT_FILE", "/nope"),
        ("https://meanwhile.invalid/v1", "HTTPS_PROXY", "bogus://1"),
        ("http://xn--.com/v1", "MEANWHILE_MODEL", "m"),
    ],
)
def test_surroundings_in_which_nothing_can_be_called_are_named(
    url: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where to look, rather than what a library met."""
    monkeypatch.setenv("MEANWHILE_URL", url)
    monkeypatch.setenv("MEANWHILE_API_KEY", "sk-1")
    monkeypatch.setenv(variable, value)

    ran = CliRunner().invoke(app, ["models"])

    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"{url} cannot be called (")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("body", [{"message": "Forbidden"}, {"error": "no"}, "<html>", []])
def test_a_refusal_that_is_not_ours_says_where_to_look(service: FakeService, body: object) -> None:
    """Without /v1 the gateway answers by itself, and `Forbidden` alone helps nobody."""
    service.on("GET /models", Answer(body, 403))  # type: ignore[arg-type]  # whatever comes

    ran = CliRunner().invoke(app, ["models"])

    assert ran.exit_code == 1
    assert ran.stderr.endswith("Is MEANWHILE_URL right? It mostly ends in /v1.\n")


class Tty(StringIO):
    """Takes itself for a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_terminal_without_width_still_shows_the_words() -> None:
    """Some say that they have none: COLUMNS=0."""
    prose, out = Prose(0), Console(file=Tty(), force_terminal=True, width=0)

    lists.show(out, ("id",), [(ID,)])

    assert (prose.add("a bc ") + prose.end()).split() == ["a", "bc"]
    assert ID in out.file.getvalue()  # type: ignore[attr-defined]  # a `Tty`
