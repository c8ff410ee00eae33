"""What `keys` and `owners` share: their options, and one run against one deployment."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from meanwhile.cli.errors import CommandFailed
from meanwhile.cli.exits import Exit
from meanwhile.settings import DeploymentSettings, SettingsError

if TYPE_CHECKING:
    from meanwhile.cli.deployment import Deployment

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = 3_650 * 86_400
_SPAN = re.compile(r"([0-9]{1,9})([smhd])")

AsJson = Annotated[bool, typer.Option("--json", help="Print objects, one per line.")]
Stack = Annotated[
    str | None,
    typer.Option(
        help="The CloudFormation stack; else MEANWHILE_STACK, else the stack on this machine.",
        show_default=False,
    ),
]


def seconds_of(text: str) -> int:
    """Return the seconds of a span such as 90d, 12h, 30m or 45s.

    Raises:
        typer.BadParameter: It is none, or longer than ten years.
    """
    span = _SPAN.fullmatch(text)
    seconds = int(span[1]) * _SECONDS[span[2]] if span else _LONGEST + 1
    if seconds > _LONGEST:
        raise typer.BadParameter(f"{text!r} is no time such as 90d, 12h, 30m or 45s, ten years at most.")
    return seconds


@contextmanager
def deployment(stack: str | None) -> Iterator["Deployment"]:
    """Find the deployment; turn what goes wrong into a sentence and an exit code."""
    from meanwhile.cli.deployment import Deployment, errors_as_sentences

    try:
        with errors_as_sentences():
            yield Deployment.found(DeploymentSettings.from_env(stack))
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None
    except CommandFailed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.FAILED) from None
