"""The HTTP API beside a year of work: reads, lists and submissions over sockets, filters, plans, start and memory.

`./uvw run python -m benchmarks.api` writes the table to `benchmarks/api.md`. It starts a PostgreSQL of its own and an
API process; the client shares their cores. It takes 8 GB of disk. `--generations 20000 --seconds 5` is a quick look;
`--home FOLDER` keeps the database for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from benchmarks.api_plans import Plan, plans_of
from benchmarks.api_process import (
    PICTURES,
    ApiProcess,
    Cpu,
    Users,
    fill,
    leave_only_submissions,
    make_keys,
    running_api,
)
from benchmarks.http_load import Exchange, closed_loop, in_turn, open_loop
from benchmarks.running_platform import machine, percentile
from posegen.database.connection import Database
from posegen.database.rows import value
from posegen.database.server import open_server
from posegen.settings import Settings
from posegen.upkeep.verification import verify

console = Console(stderr=True)
READS_A_SECOND = 100
CONNECTIONS = 16
TIMES = 40
"""How often each filter is asked."""
_BODY = json.dumps({"poses": ["star-jump"], "formats": ["instagram_post"], "seed": 7}).encode()

_GENERATION_FILTERS = (
    "status=completed", "status=failed", "status=queued", "status=partial&status=cancelled", "project=project%203",
    "project=rare", "project=none", "project=project%203&group=group%203", "project=project%203&status=failed",
    "from={middle}", "to={middle}", "order=oldest", "status=failed&order=oldest",
)  # fmt: skip
_POSE_FILTERS = (
    "status=failed", "status=running", "status=cancelled", "category={category}", "category=none", "pose={pose}",
    "pose=none", "format=instagram_post", "format=tiktok", "format=none", "project=project%203", "project=rare",
    "project=none", "project=project%203&group=group%203", "project=rare&group=none", "favourite=true",
    "favourite=false", "from={middle}", "to={middle}", "order=oldest", "pose={pose}&favourite=true&order=oldest",
    "category={category}&format=tiktok", "project=project%203&pose={pose}",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    found: str
    goal: str = ""


@dataclass(frozen=True)
class Setting:
    """What is measured."""

    database: Database
    process: ApiProcess
    users: Users
    seconds: float

    def load(self, exchanges: Coroutine[Any, Any, list[Exchange]]) -> tuple[list[Exchange], str]:
        """The exchanges of a load, and what each has cost; insists that each succeeded."""
        before = Cpu.of(self.process, self.database)
        done = asyncio.run(exchanges)
        after = Cpu.of(self.process, self.database)
        bad = [each for each in done if each.status not in {200, 202}]
        if bad:
            raise SystemExit(f"{len(bad)} of {len(done)} requests failed, the first: {bad[0]}")
        api, postgres = (
            (b - a) * 1000 / len(done) for a, b in ((before.api, after.api), (before.postgres, after.postgres))
        )
        return done, f"{api:.2f} + {postgres:.2f} ms"


def main() -> None:
    """Measure and write the table."""
    options = _options()
    where = machine()
    with ExitStack() as ends:
        home = options.home or Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="posegen-api-")))
        urls = ends.enter_context(open_server(Settings(posegen_home=home, database_url=None)))
        database = ends.enter_context(Database(urls.application))
        began = time.monotonic()
        history = fill(database, options.generations)
        console.print(history, f"{time.monotonic() - began:.0f} s")
        users = make_keys(database)
        with running_api(urls.application, home) as process:
            setting = Setting(database, process, users, options.seconds)
            time.sleep(2)
            rows = [
                Row("from start to ready", f"{process.ready_seconds:.1f} s", "3 s"),
                Row("resident size, idle", f"{process.memory_bytes() / 1e6:.0f} MB", "200 MB"),
            ]
            for measure in (_reads, _lists, _submissions):
                rows += measure(setting)
                for row in rows[-2:]:
                    console.print(row)
            rows.append(Row("resident size, afterwards", f"{process.memory_bytes() / 1e6:.0f} MB"))
            filters = _filters(setting)
        plans = plans_of(database, users.rich_id)
        if options.home is None:
            rows.append(_verified(database))
        generations = _count(database, "generations")
    _write(f"{where}, load after {os.getloadavg()[0]:.1f}", generations, options.seconds, rows, filters, plans)


def _reads(setting: Setting) -> list[Row]:
    requests = _mixed_reads(setting)
    setting.load(open_loop(setting.process.port, requests, rate=READS_A_SECOND, seconds=3))
    done, cpu = setting.load(open_loop(setting.process.port, requests, rate=READS_A_SECOND, seconds=setting.seconds))
    times = [each.seconds * 1000 for each in done]
    what = f"reads at {READS_A_SECOND} a second: a list of 20, a generation, a pose, the account"
    found = f"p50 {percentile(times, 0.5):.1f}, p95 {percentile(times, 0.95):.1f}, p99 {percentile(times, 0.99):.1f} ms"
    return [Row(what, found, "p50 5, p95 15 ms"), Row("CPU of a read, API + PostgreSQL", cpu)]


def _lists(setting: Setting) -> list[Row]:
    requests = cycle([_get("/v1/generations?limit=20", key) for key in setting.users.others])
    setting.load(closed_loop(setting.process.port, requests, connections=CONNECTIONS, seconds=3))
    done, cpu = setting.load(
        closed_loop(setting.process.port, requests, connections=CONNECTIONS, seconds=setting.seconds)
    )
    what = f"lists of 20 generations a second, {CONNECTIONS} connections"
    return [Row(what, f"{len(done) / setting.seconds:,.0f}", "400"), Row("CPU of a list, API + PostgreSQL", cpu)]


def _submissions(setting: Setting) -> list[Row]:
    """Each with an idempotency key of its own; the rows are counted."""

    def requests() -> Iterator[bytes]:
        for key in cycle(setting.users.others):
            yield _post("/v1/generations", key, _BODY)

    before = _count(setting.database, "generation_requests")
    done, cpu = setting.load(
        closed_loop(setting.process.port, requests(), connections=CONNECTIONS, seconds=setting.seconds)
    )
    stored = _count(setting.database, "generation_requests") - before
    if stored != len(done):
        raise SystemExit(f"{len(done):,} submissions were accepted, and {stored:,} are stored")
    what = f"submissions a second, {CONNECTIONS} connections, each stored once"
    return [Row(what, f"{len(done) / setting.seconds:,.0f}", "250"), Row("CPU of a submission, API + PostgreSQL", cpu)]


def _filters(setting: Setting) -> list[Row]:
    """Lists of the user with the most pictures, by each filter, one after the other."""
    with setting.database.transaction() as connection:
        middle = value(
            connection,
            "select percentile_disc(0.5) within group (order by submitted_at) from generations where user_id = %s",
            [setting.users.rich_id],
        )
        pose, category = (
            value(connection, f"select {column} from library_poses where slug = 'star-jump'".encode())  # type: ignore[arg-type]
            for column in ("slug", "category")
        )
    names = {"middle": middle.isoformat().replace("+", "%2B"), "pose": pose, "category": category}
    rows = []
    for path, filters in (("generations", ("", *_GENERATION_FILTERS)), ("poses", ("", *_POSE_FILTERS))):
        for each in filters:
            request = _get(f"/v1/{path}?limit=20&{each.format(**names)}", setting.users.rich)
            done, cpu = setting.load(in_turn(setting.process.port, [request] * TIMES))
            times = [exchange.seconds * 1000 for exchange in done]
            shown = len(json.loads(done[0].body)["data"])
            found = f"{percentile(times, 0.5):.1f} | {percentile(times, 0.95):.1f} | {cpu} | {shown}"
            rows.append(Row(f"`/{path}?{each.replace('%20', ' ')}`", found))
            console.print(rows[-1])
    return rows


def _verified(database: Database) -> Row:
    leave_only_submissions(database)
    findings = verify(database)
    broken = [f"{each.name}: {each.examples[0]}" for each in findings if each.violations]
    found = f"{len(broken)} of {len(findings)} rules broken {broken}" if broken else "clean"
    return Row("`posegen verify` of what was submitted", found, "clean")


def _mixed_reads(setting: Setting) -> Iterator[bytes]:
    """Four kinds of requests in turn, each for another user."""
    statement = """
        select g.id, p.id as pose from generations g join generated_poses p on p.generation_id = g.id
        where g.user_id = (select user_id from api_keys where id = %s) and p.position = 1 limit 10
    """
    requests = []
    for key in setting.users.others:
        with setting.database.transaction() as connection:
            found = connection.execute(statement, [key.split("_")[1]]).fetchall()
        row = found[len(requests) % len(found)]
        paths = ("generations?limit=20", f"generations/{row['id']}", f"poses/{row['pose']}", "account")
        requests += [_get(f"/v1/{path}", key) for path in paths]
    return cycle(requests)


def _get(path: str, key: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def _post(path: str, key: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: {uuid4()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _count(database: Database, table: str) -> int:
    with database.transaction() as connection:
        row = connection.execute(f"select count(*) as number from {table}".encode()).fetchone()
    assert row is not None
    return int(row["number"])


def _write(
    where: str, generations: int, seconds: float, rows: list[Row], filters: list[Row], plans: list[Plan]
) -> None:
    table = "\n".join(f"| {row.what} | {row.found} | {row.goal} |" for row in rows)
    by_filter = "\n".join(f"| {row.what} | {row.found} |" for row in filters)
    by_page = "\n".join(f"| {plan.what} | {plan.first:.2f} | {plan.thousandth:.2f} |" for plan in plans)
    text = f"""# The HTTP API

`./uvw run python -m benchmarks.api`: {generations:,} generations with 5 poses each, loads of {seconds:.0f} s.
{where}. Client, API and PostgreSQL share the cores.

| | found | goal on a quiet machine |
|---|---|---|
{table}

Lists of 20 for the user with the most pictures ({PICTURES:,} of 5,000,000), {TIMES} times each; the goal is p95 50 ms:

| | p50 ms | p95 ms | CPU, API + PostgreSQL | shown |
|---|---:|---:|---:|---:|
{by_filter}

Rows of the listed table that a plan reads for each row that it shows, the larger of its two statements:

| list of 20 | first page | thousandth page |
|---|---:|---:|
{by_page}
"""
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.api", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--generations", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--home", type=Path, help="a folder to keep the database in, for another run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
