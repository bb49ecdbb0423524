"""The `posegen` command: its parts in their groups, and the one place that ends the process.

How an error becomes a sentence and an exit code is in `failures`.
"""

from __future__ import annotations

import sys

import typer.main

from posegen.cli import (
    adoption,
    api,
    archive,
    audit,
    backends,
    calls,
    cancelling,
    credits,
    database,
    deletion,
    demo,
    designs,
    doctor,
    environment,
    explain,
    failures,
    inspect,
    keys,
    library,
    login,
    metrics,
    moving,
    regenerate,
    replay,
    report,
    requests,
    storage,
    streams,
    up,
    uploads,
    variants,
    verify,
    watch,
)
from posegen.cli.commands import ASK, KEEP, LOOK, OPERATE, Commands

app = Commands(
    name="posegen",
    help="From a request in PostgreSQL to finished pose images and their platform exports.",
    epilog="New here? `posegen demo` makes pictures from four requests in about half a minute.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("demo", rich_help_panel=ASK)(demo.demo)
app.command("submit", rich_help_panel=ASK)(requests.submit)
app.command("cancel", rich_help_panel=ASK)(cancelling.cancel)
app.add_typer(designs.app, name="design", rich_help_panel=ASK)
app.add_typer(variants.app, name="variants", rich_help_panel=ASK)
app.add_typer(uploads.app, name="upload", rich_help_panel=ASK)
app.add_typer(library.app, name="library", rich_help_panel=ASK)

app.command("status", rich_help_panel=LOOK)(requests.status)
app.command("watch", rich_help_panel=LOOK)(watch.watch)
app.command("show", rich_help_panel=LOOK)(requests.show)
app.command("explain", rich_help_panel=LOOK)(explain.explain)
app.command("inspect", rich_help_panel=LOOK)(inspect.inspect)
app.add_typer(metrics.app, name="metrics", rich_help_panel=LOOK)
app.command("report", rich_help_panel=LOOK)(report.report)
app.command("backends", rich_help_panel=LOOK)(backends.backends)
app.command("calls", rich_help_panel=LOOK)(calls.calls)
app.command("audit", rich_help_panel=LOOK)(audit.audit)

app.command("archive", rich_help_panel=KEEP)(archive.archive)
app.command("regenerate", rich_help_panel=KEEP)(regenerate.regenerate)
app.command("replay", rich_help_panel=KEEP)(replay.replay)
app.command("delete", rich_help_panel=KEEP)(deletion.delete)
app.command("restore", rich_help_panel=KEEP)(deletion.restore)
storage.app.command("migrate")(moving.migrate)
storage.app.command("reconcile")(moving.reconcile)
storage.app.command("adopt")(adoption.adopt)
app.add_typer(storage.app, name="storage", rich_help_panel=KEEP)

app.command("up", rich_help_panel=OPERATE)(up.up)
app.command("api", rich_help_panel=OPERATE)(api.api)
app.command("doctor", rich_help_panel=OPERATE)(doctor.doctor)
app.command("verify", rich_help_panel=OPERATE)(verify.verify)
app.add_typer(credits.app, name="credits", rich_help_panel=OPERATE)
app.add_typer(keys.app, name="key", rich_help_panel=OPERATE)
app.command("login", rich_help_panel=OPERATE)(login.login)
app.add_typer(database.app, name="db", rich_help_panel=OPERATE)
app.command("env", rich_help_panel=OPERATE)(environment.env)


def main() -> None:
    """Run the command and end the process. No error ends it with a traceback on the terminal."""
    try:
        streams.prepare()
        code = typer.main.get_command(app).main(prog_name="posegen", standalone_mode=False) or 0
        streams.flush()
    except BaseException as failure:  # noqa: BLE001  the last line of defence
        code = failures.tell(failure)
    streams.abandon()
    sys.exit(code)


if __name__ == "__main__":
    main()
