"""`meanwhile owners`: delete an owner for good, or give one a new data key, with AWS credentials."""

from typing import Annotated, Any

import typer

from meanwhile.cli.errors import CommandFailed
from meanwhile.cli.management import AsJson, Stack, deployment
from meanwhile.domain.keys import is_owner

app = typer.Typer(
    help="Owners: whom data belongs to, an account or ACCOUNT/USER. Needs AWS credentials, no API key.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _owner(text: str) -> str:
    if not is_owner(text):
        raise typer.BadParameter(f"{text!r} is no owner: an account, or ACCOUNT/USER.")
    return text


Owner = Annotated[str, typer.Argument(metavar="OWNER", help="An account, or ACCOUNT/USER.", callback=_owner)]


@app.command()
def delete(
    owner: Owner,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Destroy an owner's data keys and revoke its API keys. It cannot be undone."""
    with deployment(stack) as there:
        if not yes:
            under = "" if "/" in owner else " and of every end user under it"
            typer.confirm(
                f"Everything of {owner}{under} on {there.where} becomes unreadable, backups included. Go on?",
                abort=True,
                err=True,
            )
        done = there.delete_owner()(owner)
    if as_json:
        _print({"owner": owner, "deleted": True, "keys": [key.id for key in done.keys], "users": done.users})
        return
    typer.echo(f"{owner} deleted: its data key is destroyed, and nothing is taken for it again.")
    typer.echo(f"{len(done.keys)} API keys revoked" + "".join(f", {key.id}" for key in done.keys) + ".")
    if done.users:
        typer.echo(f"The data keys of {len(done.users)} end users under it are destroyed too.")
    typer.echo(
        "Functions that are awake take its API keys, and write for it, for half a minute more;"
        " what they have the data key for they can read for 5 minutes."
    )


@app.command()
def rotate(owner: Owner, stack: Stack = None, as_json: AsJson = False) -> None:
    """Give an owner a new data key. What is there stays readable; what comes is sealed under the new one."""
    with deployment(stack) as there:
        if not there.keyring.knows(owner):
            raise CommandFailed(f"{owner} has no data key yet; the first thing it asks makes one.")
        version = there.keyring.rotate(owner)
    if as_json:
        _print({"owner": owner, "version": version})
    else:
        typer.echo(f"{owner} has data key {version}; functions go over to it within half a minute.")


def _print(found: dict[str, Any]) -> None:
    from meanwhile.cli.screens import as_line

    typer.echo(as_line(found))
