"""Hostile rows: any value that PostgreSQL takes in any column that others may write, through the real ticks.

`./uvw run python -m benchmarks.hostile_rows` writes the table to `benchmarks/hostile_rows.md`: 20,000 rows of
`tests/hostile_rows.py` in batches of 200, half of them with the bounds of new rows and half as they are from before
those bounds. Behind each batch come a healthy generation, design and variant. A defect, a step that fails, a row that
is not judged, or a command that ends in a traceback ends the run. `--seed` makes others.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import dagster as dg
import psycopg
import structlog
from rich.progress import track

from posegen.cli.main import main as run_command
from posegen.database.connection import Database
from posegen.settings import Settings
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database
from resources.environment import deployment_resources
from tests.backends import PaintedBackend
from tests.builders import a_user
from tests.hostile_batches import Batches, Outcome, commands_on_a_sample, problem_of
from tests.hostile_rows import HostileRows, drop_bounds
from tests.servers import fresh_database, running_postgres

TABLE = Path(__file__).with_suffix(".md")
BATCH = 200
BASE_URL = "https://pictures.example/media"


def main() -> None:
    """Run and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="how many rows")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder)) as urls, fresh_database(urls) as url:
        outcome, columns, commands = through_the_ticks(url, Path(folder), options.rows, options.seed)
    table = _table(outcome, columns, commands, time.process_time() - began)
    TABLE.write_text(table)
    print(table)


def through_the_ticks(url: str, folder: Path, count: int, seed: int) -> tuple[Outcome, int, int]:
    """What became of the rows, how many columns were written, and how many commands were tried on the result."""
    os.environ |= {
        "DATABASE_URL": url,
        "POSEGEN_HOME": str(folder / "home"),
        "STORAGE_LOCAL_PATH": str(folder / "storage"),
        "POSEGEN_LISTEN_SECONDS": "0.01",
        "POSEGEN_MAX_RUNNING": "1000",
    }
    store = LocalStore(folder / "storage", base_url=BASE_URL)
    resources = deployment_resources(Settings(storage_base_url=BASE_URL))
    with (
        Database(url) as database,
        dg.DagsterInstance.ephemeral() as instance,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        prepare_database(database, base_urls={"local": BASE_URL})
        source = HostileRows(connection, [a_user(database, credits=10**12) for _ in range(3)], seed)
        studio = Studio(database=database, store=store, open_backend=lambda _: PaintedBackend())
        batches = Batches(studio, resources, instance)
        rows = iter(source)
        number = count // BATCH
        for batch in track(range(number), "Writing rows and ticking"):
            if batch == number // 2:
                drop_bounds(connection)
            batches.run(rows, BATCH)
        commands = commands_on_a_sample(database, folder)
        for command in track(commands, "Trying commands"):
            code, said = _answer(command)
            assert (problem := problem_of(code, said)) is None, f"{command}: {problem}\n{said[-2000:]}"
    return batches.outcome, len(source.columns), len(commands)


def _answer(command: list[str]) -> tuple[int, str]:
    """The exit code and both outputs of a command, run in this process: one of its own takes seconds to start."""
    said, before = io.StringIO(), sys.argv
    sys.argv = ["posegen", *command]
    try:
        with redirect_stdout(said), redirect_stderr(said):
            run_command()
    except SystemExit as ended:
        return (ended.code if isinstance(ended.code, int) else int(ended.code is not None)), said.getvalue()
    finally:
        sys.argv = before
    return 0, said.getvalue()


def _table(outcome: Outcome, columns: int, commands: int, cpu: float) -> str:
    tables = sorted({*outcome.written, *outcome.refused})
    written, refused = outcome.written.total(), outcome.refused.total()
    slowest, usual = max(outcome.healthy_seconds), statistics.median(outcome.healthy_seconds)
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.0f}.",
        "",
        f"**{written + refused:,} rows with any value in {columns} columns: {refused:,} refused by the database, "
        f"{written:,} written; 0 stops, 0 defects, 0 tracebacks of {commands} commands. "
        f"{len(outcome.healthy_seconds)} times a healthy generation, design and variant behind them were made in "
        f"{usual:.1f} s, at most {slowest:.1f} s.**",
        "",
        "| table | written | refused |",
        "|---|---:|---:|",
        *(f"| {table} | {outcome.written[table]:,} | {outcome.refused[table]:,} |" for table in tables),
        "",
        "| what became of the work that they ask for | rows |",
        "|---|---:|",
        *(f"| {how} | {number:,} |" for how, number in sorted(outcome.ended.items())),
        "",
        f"{cpu:.0f} s of CPU beside the database server's. A step that fails, a row that is not judged, and a request "
        "that meets a defect would have ended the run. What is accepted is cancelled before it is rendered, unless it "
        "is healthy.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
