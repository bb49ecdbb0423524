"""The `posegen` command: its parts, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import sys

import psycopg
import typer

from posegen.cli import (
    adoption,
    archive,
    audit,
    console,
    credits,
    database,
    deletion,
    demo,
    designs,
    doctor,
    environment,
    explain,
    inspect,
    library,
    metrics,
    moving,
    regenerate,
    replay,
    report,
    requests,
    storage,
    up,
    uploads,
    variants,
    verify,
    watch,
)
from posegen.database.failures import describe
from posegen.errors import PosegenError

USER_ERROR = 1

app = typer.Typer(
    name="posegen",
    help="From a request in PostgreSQL to finished pose images and their platform exports.",
    epilog="New here? `posegen demo` makes pictures from four requests in about half a minute.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("submit")(requests.submit)
app.command("status")(requests.status)
app.command("show")(requests.show)
app.command("explain")(explain.explain)
app.command("watch")(watch.watch)
app.command("archive")(archive.archive)
app.command("regenerate")(regenerate.regenerate)
app.command("delete")(deletion.delete)
app.command("restore")(deletion.restore)
app.command("inspect")(inspect.inspect)
app.command("replay")(replay.replay)
app.command("report")(report.report)
app.command("audit")(audit.audit)
app.command("doctor")(doctor.doctor)
app.command("verify")(verify.verify)
app.command("env")(environment.env)
app.add_typer(credits.app, name="credits")
app.add_typer(designs.app, name="design")
app.add_typer(library.app, name="library")
storage.app.command("migrate")(moving.migrate)
storage.app.command("reconcile")(moving.reconcile)
storage.app.command("adopt")(adoption.adopt)
app.add_typer(storage.app, name="storage")
app.add_typer(uploads.app, name="upload")
app.add_typer(variants.app, name="variants")
app.add_typer(metrics.app, name="metrics")
app.add_typer(database.app, name="db")


def main() -> None:
    """Run the command. A user's mistake ends with exit code 1 and a sentence, never with a traceback."""
    try:
        app()
    except PosegenError as error:
        console.complain(str(error))
        sys.exit(USER_ERROR)
    except psycopg.Error as failed:
        console.complain(describe(failed))
        sys.exit(USER_ERROR)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        console.complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
