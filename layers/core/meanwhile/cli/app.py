"""`meanwhile`: ask, leave, come back for the answer. Reads the command line; `session` does the work.

Only typer is imported at once, so that `--help` and a mistyped option answer quickly. A family of commands
that needs more than HTTP is a typer app in a file of its own, added with `app.add_typer`.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meanwhile.cli import keys, owners
from meanwhile.cli.errors import CommandFailed
from meanwhile.cli.exits import LISTED, Exit
from meanwhile.settings import ClientSettings, SettingsError

if TYPE_CHECKING:
    from meanwhile.cli.session import Session

app = typer.Typer(
    name="meanwhile",
    help="Answers that keep going while you are elsewhere.\n\n"
    "MEANWHILE_URL says where the service is (http://127.0.0.1:8787/v1, which is `make up`),"
    " MEANWHILE_API_KEY is the key (on this machine none is needed), MEANWHILE_MODEL the model that is asked"
    " (simulator). `keys` and `owners` need AWS credentials instead, and MEANWHILE_STACK for a stack in AWS.",
    epilog=LISTED,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(keys.app, name="keys")
app.add_typer(owners.app, name="owners")


def _id(text: str | None) -> str | None:
    if text is not None and not text.startswith("resp_"):
        raise typer.BadParameter(f"{text!r} is no response's id; they begin with resp_.")
    return text


AsJson = Annotated[bool, typer.Option("--json", help="Print the API's objects, one per line.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A response's id.", callback=_id)]
Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...", help="Ids of responses.", callback=lambda ids: [_id(each) for each in ids]
    ),
]
Status = Literal["open", "queued", "in_progress", "completed", "failed", "cancelled", "incomplete"]


@app.command(epilog=LISTED)
def ask(
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    model: Annotated[str | None, typer.Option("--model", "-m", help="The model to ask.")] = None,
    instructions: Annotated[
        str | None, typer.Option("--instructions", "-i", help="What the model should keep to.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Go on behind this response.", callback=_id)
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", "-c", metavar="ID", help="Ask in this conversation.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show the answer, or only print the id and leave.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Ask a model, and show the answer as it grows. Ctrl-C leaves; the answer keeps going."""
    text = _standard_input() if question == "-" else question
    if not text.strip():
        raise typer.BadParameter("The question is empty.", param_hint="QUESTION")
    if after and conversation:
        raise typer.BadParameter("Give --after or --conversation, not both.")
    with _session(as_json=as_json) as (session, settings):
        asked = {"model": model or settings.model, "input": text, "background": True}
        said = {
            "instructions": instructions,
            "previous_response_id": after,
            "conversation": conversation,
        }
        asked |= {name: value for name, value in said.items() if value is not None}
        code = session.ask(asked, wait=wait)
    raise typer.Exit(code)


@app.command(epilog=LISTED)
def watch(response_id: Id, as_json: AsJson = False) -> None:
    """Show a response from its beginning until it ends. Ctrl-C leaves; the answer keeps going."""
    with _session(as_json=as_json) as (session, _):
        code = session.watch(response_id)
    raise typer.Exit(code)


@app.command()
def responses(
    status: Annotated[Status | None, typer.Option(help="Only these; open is queued or in progress.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List your responses, the newest first."""
    with _session(as_json=as_json) as (session, _):
        code = session.responses(status=status, limit=limit)
    raise typer.Exit(code)


@app.command()
def cancel(response_ids: Ids, as_json: AsJson = False) -> None:
    """Cancel responses that run."""
    with _session(as_json=as_json) as (session, _):
        code = session.cancel(response_ids)
    raise typer.Exit(code)


@app.command()
def delete(response_ids: Ids, as_json: AsJson = False) -> None:
    """Delete responses that have ended."""
    with _session(as_json=as_json) as (session, _):
        code = session.delete(response_ids)
    raise typer.Exit(code)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the models known by name."""
    with _session(as_json=as_json) as (session, _):
        code = session.models()
    raise typer.Exit(code)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise typer.BadParameter("Standard input is not UTF-8 text.", param_hint="QUESTION") from None


@contextmanager
def _session(*, as_json: bool) -> Iterator[tuple["Session", ClientSettings]]:
    """Connect the parts; turn what goes wrong into a sentence and an exit code."""
    from rich.console import Console

    from meanwhile.cli.screens import screen_for
    from meanwhile.cli.service import Service
    from meanwhile.cli.session import Session

    out, notes = Console(highlight=False), Console(highlight=False, stderr=True)
    try:
        settings = ClientSettings.from_env()
        with Service(settings, time.sleep) as service:
            screen = screen_for(out, notes, as_json=as_json)
            yield Session(service, out, notes, screen, as_json, time.sleep, time.monotonic), settings
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None
    except CommandFailed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.FAILED) from None
