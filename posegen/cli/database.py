"""`posegen db`: the application's database."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from posegen.cli import console
from posegen.cli.session import open_session
from posegen.database.migrate import current_revision, newest_revision
from posegen.database.server import open_server
from posegen.settings import load_settings
from posegen.supervisor.signals import stop_on_signals

app = typer.Typer(help="The application's database: its schema, its revision, and its server.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring schema and lists to this version. `demo` and `up` do it too; doing it twice changes nothing."""
    with open_session(upgrade=True) as session:
        console.out.print(f"The database is at revision {current_revision(session.urls.application)}.")


@app.command()
def serve() -> None:
    """Keep the embedded server running, and nothing else, until Ctrl-C. For `psql` and `dagster dev`."""
    stopping = threading.Event()
    with open_session() as session, stop_on_signals(lambda _: stopping.set()):
        console.out.print(
            'PostgreSQL is up: eval "$(posegen env)"; psql "$DATABASE_URL". Ctrl-C ends it.', markup=False
        )
        while not stopping.wait(1):
            session.urls.keep_running()


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Say which revision the database has and which one this version needs. Exit code 1 when they differ."""
    with open_server(load_settings()) as urls:
        found = current_revision(urls.application)
    needed = newest_revision()
    if as_json:
        console.print_json({"revision": found, "needed": needed, "embedded": urls.embedded})
    else:
        console.out.print(f"The database is at revision {found or 'none'}; this version needs {needed}.")
    if found != needed:
        if not as_json:
            console.out.print("Run `posegen db upgrade`.")
        raise typer.Exit(1)
