"""`posegen login`: a link that signs a browser in, and the end of a user's sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from psycopg.errors import InsufficientPrivilege

from posegen.access import service
from posegen.access.callers import Caller
from posegen.cli import console
from posegen.cli.actors import local_actor
from posegen.cli.commands import AS_JSON
from posegen.cli.requests import LOCAL_USER, local_user
from posegen.cli.session import Session, open_session
from posegen.errors import UserUnknown
from posegen.running_platform import find_platform


def login(
    user: Annotated[UUID | None, typer.Option(help="Who is signed in; without it the local user.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="The session may do what an admin may.")] = False,
    sign_out: Annotated[
        bool, typer.Option("--sign-out", help="End all sessions of the user instead, as after a theft.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Make a link that signs a browser in.

    It is good once, within 10 minutes; the session lasts 30 days.

    Example: `posegen login --user USER`
    """
    now, caller, whose = datetime.now(UTC), Caller.operator(local_actor("login")), user or LOCAL_USER
    with open_session() as session:
        if sign_out:
            ended = service.sign_out_everywhere(session.database, caller, whose, now)
            if as_json:
                console.print_json({"user": whose, "sessions_ended": ended})
            else:
                console.say(f"{ended:,} sessions of {whose} are ended.")
            return
        try:
            link = service.make_link(session.database, caller, whose, is_admin=admin, now=now)
        except UserUnknown:
            if user is not None:
                raise
            raise typer.BadParameter(
                "There is no local user here, which `posegen submit` makes: name one with --user."
            ) from None
        platform = find_platform(session.settings.posegen_home)
    api_url = platform and platform.api_url
    path = f"/login/{link.secret}"
    if as_json:
        url = api_url and api_url + path
        console.print_json({"user": whose, "is_admin": admin, "path": path, "url": url, "expires_at": link.expires_at})
        return
    console.say((api_url or "") + path)
    if api_url is None:
        console.note("No API runs for this data folder: put the address of yours before it.")
    console.note("The link signs one browser in, within 10 minutes.")


def local_login_url(session: Session, api_url: str, *, command: str) -> str | None:
    """The URL that signs a browser in as the local user.

    The embedded database gets this user now; on another server, whose users are customers, only `posegen submit`
    inserts it.

    Args:
        session: of the command that prints the URL.
        api_url: what the URL begins with.
        command: which one that is, for the audit trail.

    Returns:
        None where there is no local user, and where the role of the database may not make links.
    """
    caller = Caller.operator(local_actor(command))
    try:
        user = local_user(session) if session.urls.embedded else LOCAL_USER
        link = service.make_link(session.database, caller, user, now=datetime.now(UTC))
    except (UserUnknown, InsufficientPrivilege):
        return None
    return f"{api_url}/login/{link.secret}"
