"""Upkeep in a database with a year of work: reports, cleaning beside claims, pages; and Dagster with many partitions.

`./uvw run python -m benchmarks.upkeep` writes the table to `benchmarks/upkeep.md`. It takes some 20 GB of disk and 20
minutes; `--generations 20000 --partitions 1000` is a quick look. The history is made by `large_history.py`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import psycopg
from rich.console import Console

from benchmarks.large_history import LargeHistory, write_history
from benchmarks.many_partitions import PartitionCosts, measure_partitions
from benchmarks.running_platform import machine, percentile
from posegen.database.connection import Connection, Database
from posegen.database.server import open_server
from posegen.generations.asking.claims import claim_next
from posegen.generations.reading import pages, results
from posegen.generations.reading.history import history_of
from posegen.generations.rows import generations
from posegen.reports.periods import day as day_of
from posegen.reports.usage import read_usage
from posegen.settings import Settings
from posegen.storage.local import LocalStore
from posegen.upkeep import metrics as scraped
from posegen.upkeep.preparing import prepare_database
from posegen.upkeep.retention import RetentionRule, clean_up_images

console = Console(stderr=True)
CLEANED = 100_000
QUEUED = 200
CLAIMED = 10
LONGEST_LOCK_MS = 50
"""Generations that wait while images are cleaned, and those that one claim takes; they wait anew."""


@dataclass
class Series:
    """One operation, repeated. Milliseconds; `goal`: at most, of its p95 where there is one."""

    what: str
    goal: float | None
    times: list[float] = field(default_factory=list)

    def row(self) -> str:
        """A row of the table."""
        p95 = percentile(self.times, 0.95) if len(self.times) > 1 else self.times[0]
        goal = "" if self.goal is None else f"{self.goal:,.0f}"
        return (
            f"| {self.what} | {len(self.times)} | {statistics.median(self.times):,.1f} | {p95:,.1f} | "
            f"{max(self.times):,.1f} | {goal} |"
        )


def main() -> None:
    """Measure and write the table."""
    options = _options()
    where = machine()
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="posegen-upkeep-", dir=options.folder)))
        urls = ends.enter_context(open_server(Settings(posegen_home=folder / "home", database_url=None)))
        database = ends.enter_context(Database(urls.application))
        prepare_database(database, base_urls={"local": "/media"})
        began = time.monotonic()
        history = write_history(urls.application, options.generations)
        wrote = time.monotonic() - began
        rows = [*_reports(database), *_pages(database)]
        store = LocalStore(folder / "store", base_url="/media")
        cleaning, cleaned, seconds = _clean_beside_claims(database, store, options.cleaned)
        rows += cleaning
        plans = _plans(database)
    partitions = [measure_partitions(live, options.requests) for live in (1000, options.partitions)]
    lines = _table(where, history, wrote, rows, f"{cleaned:,} poses cleaned in {seconds:.0f} s", partitions, plans)
    Path(__file__).with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


def _reports(database: Database) -> list[Series]:
    series = Series("usage report of a day", 10_000)
    with database.transaction() as connection:
        for days_ago in (2, 30, 120, 200, 340):
            day = day_of((datetime.now(UTC) - timedelta(days=days_ago)).date())
            series.times.append(_milliseconds(partial(read_usage, connection, day)))
    console.print(series.row())
    return [series]


def _pages(database: Database) -> list[Series]:
    """What people look at: the latest generation, one of last week, one whose images and traces are gone."""
    with database.transaction() as connection:
        chosen = [
            row["id"]
            for row in connection.execute(
                """
                (select id from generations order by finished_at desc limit 10)
                union all
                (select id from generations where finished_at < now() - interval '9 days'
                 order by finished_at desc limit 10)
                union all
                (select id from generations order by finished_at limit 10)
                """
            )
        ]
    looks: list[tuple[str, Callable[[Connection, UUID], object]]] = [
        ("`posegen explain`: a generation's whole history", lambda connection, each: history_of(connection, str(each))),
        ("poses of a generation, from the view", results.pose_results),
        ("state of a generation, from the view", lambda connection, each: results.results_of(connection, [each])),
        (
            "`posegen status`: the latest 20",
            lambda connection, _: pages.page_of_generations(connection, pages.GenerationFilter(), after=None, limit=20),
        ),
        ("a scrape of `/metrics`", lambda connection, _: scraped.numbers(connection)),
        ("progress of a generation", generations.progress_of),
    ]

    def once(look: Callable[[Connection, UUID], object], generation: UUID) -> None:
        with database.transaction() as connection:
            look(connection, generation)

    with database.transaction() as connection:
        scraped.move_mark(connection)  # as upkeep does every five minutes
    found = []
    for what, look in looks:
        once(look, chosen[0])
        found.append(Series(what, 200, [_milliseconds(partial(once, look, each)) for each in chosen]))
        console.print(found[-1].row())
    return found


def _clean_beside_claims(database: Database, store: LocalStore, poses: int) -> tuple[list[Series], int, float]:
    """Claims alone, then claims while the images of so many poses are hidden, and deleted."""
    _queue_some(database)
    alone = Series(f"a claim of {CLAIMED}, nothing else going on", None, _claims_until(database, _after(seconds=5)))
    console.print(alone.row())
    # No time of grace: what is hidden is deleted in the same pass.
    rule = RetentionRule(grace=timedelta(0))
    with console.status("Cleaning ..."), ThreadPoolExecutor(1) as threads:
        ended = threading.Event()
        claims = threads.submit(_claims_until, database, ended)
        began = time.monotonic()
        try:
            done = clean_up_images(database, [store], rule, most=poses)
        finally:
            seconds = time.monotonic() - began
            ended.set()
        beside = Series(
            f"a claim of {CLAIMED} while the images of {done.deleted.poses:,} poses are cleaned", None, claims.result()
        )
    console.print(beside.row())
    return [alone, beside], done.deleted.poses, seconds


def _after(seconds: float) -> threading.Event:
    event = threading.Event()
    timer = threading.Timer(seconds, event.set)
    timer.daemon = True
    timer.start()
    return event


def _claims_until(database: Database, ended: threading.Event) -> list[float]:
    """Milliseconds of one claim after the other; what was claimed waits anew.

    Ends with an error when a claim has to wait for a lock for 50 ms.
    """
    times = []
    with Database(_impatient(database.url)) as impatient:
        while not ended.is_set():
            times.append(_milliseconds(lambda: claim_next(impatient, most_running=CLAIMED)))
            _put_back(database)
            ended.wait(0.02)
    return times


def _impatient(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-c lock_timeout={LONGEST_LOCK_MS}')}"


def _put_back(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("update generations set status = 'queued', dispatched_at = null where status = 'dispatched'")


def _queue_some(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            """
            with chosen as (
                insert into generation_requests (id, user_id, poses)
                select gen_random_uuid(), u.id, '{star-jump}' from (select id from users limit %s) u
                returning id, user_id
            )
            insert into generations (id, user_id, status, priority, turn, poses_total, backend, queued_at)
            select id, user_id, 'queued', 0, row_number() over (), 1, 'mannequin', now() from chosen
            """,
            [QUEUED],
        )


_PLANNED = {
    "What expires, one page": """
        select p.id from generated_poses p
        where p.status = 'completed' and p.delete_after is null and not p.is_favourite and p.download_count = 0
            and p.completed_at < now() - interval '85 days' order by p.completed_at limit 50 for update skip locked
    """,
    "What is to be deleted, one page": """
        select id from generated_poses where delete_after <= now() and images_deleted_at is null
        order by delete_after limit 50 for update skip locked
    """,
    "Whose traces go, one page": """
        select id from generations where finished_at < now() - interval '6 days' and retired_at is null
        order by finished_at limit 200
    """,
    "The generations of a day": """
        select count(*) from generations where finished_at >= now() - interval '101 days'
            and finished_at < now() - interval '100 days'
    """,
}


def _plans(database: Database) -> dict[str, str]:
    plans = {}
    with database.transaction() as connection:
        for what, query in _PLANNED.items():
            rows = connection.execute(f"explain (analyze, costs off, buffers) {query}".encode()).fetchall()
            plans[what] = "\n".join(row["QUERY PLAN"] for row in rows)
    return plans


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _table(
    where: str,
    history: LargeHistory,
    wrote: float,
    rows: list[Series],
    cleaned: str,
    partitions: list[PartitionCosts],
    plans: dict[str, str],
) -> list[str]:
    lines = [
        "# Upkeep",
        "",
        f"`./uvw run python -m benchmarks.upkeep`: {history.generations:,} generations, {history.poses:,} poses, "
        f"{history.exports:,} exports and {history.objects:,} objects, written in {wrote / 60:.1f} minutes. {where}.",
        "",
        "| | times | p50 ms | p95 ms | max ms | goal ms |",
        "|---|---:|---:|---:|---:|---:|",
        *(series.row() for series in rows),
        "",
        f"{cleaned}, 50 in a transaction, hidden and deleted with 4 objects each. No claim waited for a lock for "
        f"{LONGEST_LOCK_MS} ms: one that does ends with an error here. What takes longer waits for the disk or a core.",
        "",
        "Dagster with many live partitions, on a platform that runs (`benchmarks/many_partitions.py`):",
        "",
        "| live partitions | INSERT to first pose, p50 s | p95 s | CPU s a generation | retiring 10,000 of them, s |",
        "|---:|---:|---:|---:|---:|",
        *(each.row() for each in partitions),
    ]
    for what, plan in plans.items():
        lines += ["", f"{what}:", "", "```text", plan, "```"]
    return [*lines, ""]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upkeep", description="Upkeep with a year of work.")
    parser.add_argument("--generations", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--cleaned", type=int, default=CLEANED, help="poses whose images are cleaned")
    parser.add_argument("--partitions", type=int, default=100_000, help="live partitions in Dagster")
    parser.add_argument("--requests", type=int, default=10, help="requests made with each number of partitions")
    parser.add_argument("--folder", type=Path, help="where the database lies; by default in TMPDIR")
    return parser.parse_args()


if __name__ == "__main__":
    main()
