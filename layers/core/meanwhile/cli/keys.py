"""`meanwhile keys`: make, list, rotate and revoke API keys, with AWS credentials."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanwhile.cli.errors import CommandFailed
from meanwhile.cli.management import AsJson, Stack, deployment, seconds_of
from meanwhile.domain.keys import Scope, is_account

if TYPE_CHECKING:
    from meanwhile.domain.keys import ApiKey
    from meanwhile.operations.accounts.manage_keys import Made

app = typer.Typer(
    help="API keys: who may call. Needs AWS credentials for the stack's tables, no API key.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _account(text: str | None) -> str | None:
    if text is not None and not is_account(text):
        raise typer.BadParameter(f"{text!r} is no owner: 1 to 64 letters, digits and _ . -")
    return text


def _key_id(text: str) -> str:
    if not text.startswith("key_"):
        raise typer.BadParameter("That is no key's id; they begin with key_, see `meanwhile keys list`.")
    return text


def _name(text: str) -> str:
    if len(text) > 100 or not text.isprintable():
        raise typer.BadParameter("A name is up to 100 printable characters.")
    return text


Owner = Annotated[str, typer.Argument(metavar="OWNER", help="Whom the key acts for.", callback=_account)]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="A key's id.", callback=_key_id)]


@app.command()
def create(
    owner: Owner,
    name: Annotated[str, typer.Option(help="What it is for, up to 100 characters.", callback=_name)] = "",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="act_as: may name end users in X-On-Behalf-Of.")
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(metavar="TIME", help="90d, 12h, 30m or 45s; else it has no end.")
    ] = None,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once: the stack keeps only its hash."""
    lives = None if expires_in is None else seconds_of(expires_in)
    with deployment(stack) as there:
        made = there.manage_keys().create(owner, name=name, scopes=set(scope or ()), lives=lives)
        _show(made, where=there.where, as_json=as_json)


@app.command("list")
def list_keys(
    owner: Annotated[
        str | None, typer.Argument(metavar="[OWNER]", help="Only this owner's.", callback=_account)
    ] = None,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """List the keys there are, those that ended too."""
    from rich.console import Console

    from meanwhile.cli import lists
    from meanwhile.wiring import now

    with deployment(stack) as there:
        found, at = there.manage_keys().listed(owner), now()
    out = Console(highlight=False)
    if as_json:
        lists.show_json(out, (_object(key) | {"state": key.state(at)} for key in found))
    else:
        lists.show(
            out, ("id", "owner", "state", "name", "scopes", "expires"), (_row(key, at) for key in found)
        )


@app.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(metavar="TIME", help="How long the old one still works.")] = "1h",
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Make a key like another one, which ends after the overlap."""
    seconds = seconds_of(overlap)
    with deployment(stack) as there:
        made, old = there.manage_keys().rotate(key_id, overlap=seconds)
        _show(made, where=there.where, as_json=as_json)
        typer.echo(f"{old.id} ends in {overlap} at the latest.", err=True)


@app.command()
def revoke(key_id: KeyId, stack: Stack = None, as_json: AsJson = False) -> None:
    """End a key for good: within a minute it opens nothing anywhere."""
    with deployment(stack) as there:
        key = there.manage_keys().revoke(key_id)
    if as_json:
        _print({"id": key.id, "revoked": True})
    else:
        typer.echo(f"{key.id} revoked; within a minute it opens nothing.")


def _show(made: "Made", *, where: str, as_json: bool) -> None:
    """Show the key, or say which one is lost.

    Raises:
        CommandFailed: It could not be written, and nobody can ever write it again.
    """
    try:
        _show_made(made, where=where, as_json=as_json)
    except OSError as error:
        raise CommandFailed(
            f"{made.key.id} was made and could not be shown ({error.strerror}), so it is lost."
            f" End it with: meanwhile keys revoke {made.key.id}"
        ) from None


def _show_made(made: "Made", *, where: str, as_json: bool) -> None:
    """Write the key alone to standard output, so that `key=$(meanwhile keys create ...)` holds it."""
    if as_json:
        _print(_object(made.key) | {"key": made.secret})
        return
    typer.echo(made.secret)
    ends = "" if made.key.ends_at is None else f", until {_time(made.key.ends_at)}"
    typer.echo(f"{made.key.id} of {made.key.owner} on {where}{ends}. It is not shown again.", err=True)


def _print(found: dict[str, Any]) -> None:
    from meanwhile.cli.screens import as_line

    typer.echo(as_line(found))


def _object(key: "ApiKey") -> dict[str, Any]:
    return {
        "id": key.id,
        "owner": key.owner,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.ends_at,
        "revoked_at": key.revoked_at,
    }


def _row(key: "ApiKey", at: float) -> tuple[str, ...]:
    expires = "" if key.ends_at is None else _time(key.ends_at)
    return key.id, key.owner, key.state(at), key.name, ",".join(sorted(key.scopes)), expires


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC).astimezone():%Y-%m-%d %H:%M}"
