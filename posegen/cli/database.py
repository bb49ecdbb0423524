"""`posegen db`: the application's database."""

from __future__ import annotations

import threading

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.session import open_session
from posegen.database.migrate import current_revision, newest_revision
from posegen.database.server import open_server
from posegen.settings import load_settings
from posegen.supervisor.signals import stop_on_signals

app = Commands(help="The database: its schema, its revision, and its server.", no_args_is_help=True)


@app.command()
def upgrade(as_json: AS_JSON = False) -> None:
    """Bring schema and lists to this version.

    `demo` and `up` do it too; doing it twice changes nothing.

    Example: `posegen db upgrade`
    """
    with open_session(upgrade=True) as session:
        revision = current_revision(session.urls.application)
    if as_json:
        console.print_json({"revision": revision})
    else:
        console.say(f"The database is at revision {revision}.")


@app.command()
def serve() -> None:
    """Keep the embedded server running until Ctrl-C, and nothing else.

    For `psql` and `dagster dev`.

    Example: `posegen db serve`
    """
    stopping = threading.Event()
    with open_session() as session, stop_on_signals(lambda _: stopping.set()):
        console.say('PostgreSQL is up: eval "$(posegen env)"; psql "$DATABASE_URL". Ctrl-C ends it.')
        while not stopping.wait(1):
            session.urls.keep_running()


@app.command()
def status(as_json: AS_JSON = False) -> None:
    """Say which revision the database has, and which one is needed.

    Exit code 1 when they differ.

    Example: `posegen db status`
    """
    with open_server(load_settings()) as urls:
        found = current_revision(urls.application)
    needed = newest_revision()
    if as_json:
        console.print_json({"revision": found, "needed": needed, "embedded": urls.embedded})
    else:
        console.say(f"The database is at revision {found or 'none'}; this version needs {needed}.")
    if found != needed:
        if not as_json:
            console.say("Run `posegen db upgrade`.")
        raise typer.Exit(1)
