"""`posegen up`: the platform in the foreground, until Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Annotated

import typer

from posegen.cli import console
from posegen.cli.actors import local_actor
from posegen.cli.login import local_login_url
from posegen.cli.session import Session, open_session
from posegen.storage.configuration import StoresConfig
from posegen.supervisor.environment import child_environment
from posegen.supervisor.local_platform import LocalPlatform, PlatformOptions
from posegen.supervisor.signals import stop_on_signals
from posegen.supervisor.supervision import Happening
from posegen.upkeep.recovery import recover_all
from posegen.upkeep.settings_history import record_settings
from posegen.work.steps import Steps

_COLOURS = {"started": "dim", "ready": "green", "died": "bold red", "killed": "red"}


def platform_for(
    session: Session,
    options: PlatformOptions,
    *,
    offered: Collection[str] = (),
    **listeners: Callable[..., None] | None,
) -> LocalPlatform:
    """The processes that serve this session's database; nothing is started yet.

    Args:
        session: whose database it is.
        options: of the platform.
        offered: backends that requests may name, besides those of the settings.
        listeners: what the platform tells, by the names of its parameters.

    Raises:
        StoreMistaken: the store is not the one that the database has been writing to.
    """
    session.check_stores()
    environment = {
        **child_environment(os.environ, session.settings, session.urls),
        "DATABASE_URL": session.urls.application,
        "POSEGEN_BACKENDS_OFFERED": ",".join([*session.backends.offered, *offered]),
    }
    return LocalPlatform(
        session.settings,
        environment,
        options,
        keep_database=session.urls.keep_running,
        **{name: listener for name, listener in listeners.items() if listener is not None},  # type: ignore[arg-type]
    )


def up(
    port: Annotated[
        int | None, typer.Option(help="Port of the Dagster UI; without it 3000, or a free one.", min=1, max=65535)
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address of the UI. Anything but loopback needs a proxy that asks who is there.")
    ] = "127.0.0.1",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="A UI that starts nothing and changes nothing.")
    ] = False,
    api_host: Annotated[
        str, typer.Option(help="Address of the HTTP API. Anything but loopback needs POSEGEN_API_URL with https.")
    ] = "127.0.0.1",
    api_port: Annotated[
        int | None, typer.Option(help="Port of the HTTP API; without it 8080, or a free one.", min=1, max=65535)
    ] = None,
    no_api: Annotated[bool, typer.Option("--no-api", help="Run without the HTTP API.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the processes print.")] = False,
) -> None:
    """Run Posegen in the foreground, until Ctrl-C.

    Database, Dagster's UI, daemon, code server and HTTP API. New rows in `generation_requests` become pictures while it
    runs. A process that dies is started again. Ctrl-C, or SIGTERM, ends all of it: work in hand is finished or put
    back, and goes on at the next start.

    Example: `posegen up --port 3001`
    """
    with open_session(upgrade=True) as session:
        _recover(session)
        with session.database.transaction() as connection:
            record_settings(connection, session.settings, actor=local_actor("up"))
        options = PlatformOptions(
            host=host, port=port, read_only=read_only, with_api=not no_api, api_host=api_host, api_port=api_port
        )
        platform = platform_for(session, options, report=_report, echo=_echo if verbose else None)
        with stop_on_signals(platform.request_stop):
            try:
                if platform.start():
                    _welcome(session, platform)
                    platform.wait()
            finally:
                platform.stop()
    console.say("Posegen has stopped.")


def _recover(session: Session) -> None:
    """What was under way when the machine went down need not wait until everything is up."""
    # What one row meets must not keep the platform down.
    for work in recover_all(session.database, session.settings, Steps(session.database, "up")):
        console.say(f"The {work.noun} {work.row.id} {work.outcome}: {work.row.reason}.")


def _welcome(session: Session, platform: LocalPlatform) -> None:
    settings = session.settings
    console.say(f"\nPosegen is up. Dagster UI: {platform.url}", style="bold")
    say_api(session, platform, command="up")
    console.say('Database:    eval "$(posegen env)"; psql "$DATABASE_URL"')
    console.say(f"Pictures:    {StoresConfig.of(settings).where()}")
    console.say(f"Logs:        {settings.posegen_home / 'logs'}")
    console.say("Submit with: posegen submit POSE..., or INSERT INTO generation_requests. Ctrl-C ends it.\n")


def say_api(session: Session, platform: LocalPlatform, *, command: str) -> None:
    """Print where the HTTP API is, if it runs, and the link that signs a browser in there as the local user."""
    if platform.api_url is None:
        return
    url = (session.settings.posegen_api_url or platform.api_url).rstrip("/")
    console.say(f"HTTP API:    {url}/v1")
    login_url = local_login_url(session, url, command=command)
    if login_url is not None:
        console.say(f"Sign in:     {login_url} (once, within 10 minutes)")


def _report(happening: Happening) -> None:
    detail = f" {happening.detail}" if happening.detail else ""
    console.say(f"{happening.process} {happening.what}{detail}", style=_COLOURS[happening.what])


def _echo(process: str, line: str) -> None:
    console.say(f"{process:>11} | {line}")
