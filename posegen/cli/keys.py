"""`posegen key`: keys of applications and people for the HTTP API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from posegen.access import service
from posegen.access.callers import Caller, Kind
from posegen.access.key_rules import HIGHEST_RATE
from posegen.access.keys import ApiKey
from posegen.cli import console
from posegen.cli.actors import local_actor
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.failures import told_on_failure
from posegen.cli.picking import names
from posegen.cli.session import open_session

app = Commands(help="Keys for the HTTP API: create, list, revoke.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for, up to 200 characters.")],
    user: Annotated[UUID | None, typer.Option(help="Whose key it is; only for the kind user.")] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="Whose data it reaches. Without it user with --user, else service.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do, such as files:read; may be repeated. Without it the default of its kind."),
    ] = None,
    expires: Annotated[
        int | None, typer.Option(help="Days until it ends; without it never.", min=1, max=36_500)
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Requests a minute; without it 120 for users.", min=1, max=HIGHEST_RATE)
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Make a key, and print it this once.

    Only its hash is stored: a lost key is revoked, and another one made.

    Example: `posegen key create --name shop --user USER`
    """
    now = datetime.now(UTC)
    with told_on_failure() as progress:
        with open_session() as session:
            made = service.create_key(
                session.database,
                Caller.operator(local_actor("key")),
                kind=kind or (Kind.SERVICE if user is None else Kind.USER),
                user_id=user,
                name=name,
                scopes=names(scope) or None,
                rate=rate,
                expires_at=None if expires is None else now + timedelta(days=expires),
                now=now,
            )
        key = made.key
        progress.sentence = f"Key {key.id} is stored, but was not shown: `posegen key revoke {key.id}`, make another."
        if as_json:
            console.print_json({**vars(key), "secret": made.secret})
            return
        console.say(made.secret)
        console.note(f"Keep it: it cannot be shown again. Key {key.id} of {_owner(key)} may: {', '.join(key.scopes)}.")


@app.command("list")
def list_keys(
    user: Annotated[UUID | None, typer.Option(help="Only keys of this user.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the latest.", min=1, max=10_000)] = 50,
    as_json: AS_JSON = False,
) -> None:
    """Show keys, the latest first, with their last use.

    Revoked and expired keys are listed for 90 days.

    Example: `posegen key list --user USER`
    """
    with open_session() as session:
        found = service.list_keys(session.database, Caller.operator(local_actor("key")), user_id=user, limit=limit)
    if as_json:
        console.print_json([vars(key) for key in found])
    elif found:
        now = datetime.now(UTC)
        console.table(
            ["key", "name", "of", "state", "last used (UTC)", "scopes"],
            [[key.id, key.name, _owner(key), _state(key, now), _used(key), ", ".join(key.scopes)] for key in found],
        )
    else:
        console.say("There is no key yet: `posegen key create --name shop` makes one for a service.")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id; `posegen key list` shows them.")], as_json: AS_JSON = False
) -> None:
    """End a key: it is refused from the next request on.

    Streams that it has opened end within 30 seconds.

    Example: `posegen key revoke 7hNq2kT9wXb4`
    """
    with told_on_failure() as progress:
        with open_session() as session:
            caller = Caller.operator(local_actor("key"))
            revoked = service.revoke_key(session.database, caller, key, datetime.now(UTC))
        progress.sentence = f"Key {revoked.id} is revoked."
        if as_json:
            console.print_json(vars(revoked))
        else:
            console.say(f"Key {revoked.id} ({revoked.name}) is revoked.")


def _owner(key: ApiKey) -> str:
    return key.kind if key.user_id is None else str(key.user_id)


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {console.utc(key.revoked_at, '%m-%d %H:%M')}"
    if key.expires_at is None:
        return "valid"
    return f"{'until' if key.expires_at > now else 'expired'} {console.utc(key.expires_at, '%Y-%m-%d')}"


def _used(key: ApiKey) -> str:
    return "-" if key.last_used_at is None else console.utc(key.last_used_at, "%m-%d %H:%M")
