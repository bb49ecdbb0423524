"""What the benchmark of the API runs against: a history, users with keys, and an API process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.large_history import LargeHistory, write_history
from benchmarks.running_platform import cpu_of, processes_of_postgresql
from posegen.access import service as access
from posegen.access.callers import Caller, Kind
from posegen.database.connection import Database
from posegen.supervisor.ports import choose_port
from posegen.upkeep.preparing import prepare_database

PICTURES = 100_000
"""Of the user with the most, of 5,000,000 poses."""
RATE = 1_000_000
KEYS = 200

# Nothing that the benchmark asks for reads these tables. Their rows would take half of the time.
_LEFT_OUT = ("ledger", "events", "deleted objects", "balances")
_PROJECTS = """
create temp table mine as
select id, row_number() over (order by submitted_at desc) as number from generations where user_id = '{user}';
set session_replication_role = replica;
update generations g set project_id = case when number % 5000 = 17 then 'rare' else 'project ' || number % 10 end,
    group_name = 'group ' || number % 500
from mine where mine.id = g.id;
update generated_poses p set project_id = g.project_id
from generations g where g.id = p.generation_id and g.user_id = '{user}';
set session_replication_role = origin;
update accounts set credits_granted = 0, credits_available = 0;
select grant_credits(id, 10000000, 'benchmark', 'benchmark') from users;
"""
_ASKED = "g.status = 'submitted'"
# Tables with rows of submissions, and which rows; everything else of the history goes.
_OF_SUBMISSIONS = {
    "generation_requests": "id in (select id from generations g where {asked})",
    "generations": "id in (select id from generations g where {asked})",
    "events": "generation_id in (select id from generations g where {asked})",
    "ledger_entries": "true",  # grants
}


@dataclass(frozen=True)
class Users:
    """Who calls. `rich`: the key of the user with the most pictures; `others`: keys of users; `admin`: sees all."""

    rich_id: UUID
    rich: str
    others: list[str]
    admin: str


def fill(database: Database, generations: int) -> LargeHistory | None:
    """Write the history into an empty database; None when it has one already."""
    prepare_database(database, base_urls={"local": "/media"})
    with psycopg.connect(database.url, autocommit=True) as connection:
        if connection.execute("select from generations limit 1").fetchone() is not None:
            return None
        # A pose in 48 belongs to one user; a few of theirs have failed.
        history = write_history(
            database.url, generations, of_one=generations * 21 // 1000, formats=["instagram_post"], kept_days=30,
            leave_out=_LEFT_OUT,
        )  # fmt: skip
        connection.execute(_PROJECTS.format(user=_richest(connection)).encode())
        connection.execute("vacuum (analyze)")
    return history


def make_keys(database: Database) -> Users:
    """Keys of the user with the most pictures, of other users, and of an admin."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        rich = _richest(connection)
        found = connection.execute("select id from users where id <> %s order by id limit %s", [rich, KEYS]).fetchall()

    def key(user: UUID | None) -> str:
        kind = Kind.ADMIN if user is None else Kind.USER
        made = access.create_key(
            database, Caller.operator("benchmark"), kind=kind, name="benchmark", now=datetime.now(UTC), user_id=user,
            rate=RATE,
        )  # fmt: skip
        return made.secret

    return Users(rich, key(rich), [key(each) for (each,) in found], key(None))


def leave_only_submissions(database: Database) -> None:
    """Remove the history, which was written past all rules, so that `posegen verify` judges what was submitted."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        for table, rows in _OF_SUBMISSIONS.items():
            connection.execute(
                f"create temp table kept_{table} as select * from {table} where {rows.format(asked=_ASKED)}".encode()
            )
        connection.execute("truncate generation_requests, objects cascade")
        for table in _OF_SUBMISSIONS:
            connection.execute(f"insert into {table} overriding system value select * from kept_{table}".encode())


def _richest(connection: psycopg.Connection) -> UUID:
    row = connection.execute(
        "select user_id from generations group by user_id order by count(*) desc limit 1"
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


@dataclass(frozen=True)
class ApiProcess:
    """An API that runs. `ready_seconds`: from its start until `/v1/ready` responded."""

    pid: int
    port: int
    ready_seconds: float

    def memory_bytes(self) -> int:
        """Its resident size."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024


@dataclass(frozen=True)
class Cpu:
    """CPU seconds of the API's process and of PostgreSQL."""

    api: float
    postgres: float

    @classmethod
    def of(cls, process: ApiProcess, database: Database) -> Cpu:
        """So far."""
        postmaster, *others = processes_of_postgresql(database)
        # A backend that has ended counts at the postmaster.
        return cls(cpu_of(process.pid)[0], sum(cpu_of(postmaster)) + sum(cpu_of(each)[0] for each in others))


@contextmanager
def running_api(url: str, home: Path, settings: Mapping[str, str] | None = None) -> Iterator[ApiProcess]:
    """An API process with the default settings, ended afterwards. Its log is `api.log` in `home`."""
    port = choose_port("127.0.0.1", 0)
    # Bytecode is part of any real installation.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"POSEGEN_HOME": str(home), "DATABASE_URL": url, "POSEGEN_LOG_FORMAT": "json", **(settings or {})}
    command = [sys.executable, "-m", "posegen.web.server", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "api.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - began > 60:
                raise SystemExit(f"The API did not get ready:\n{(home / 'api.log').read_text()[-3000:]}")
            time.sleep(0.01)
        yield ApiProcess(process.pid, port, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"GET /v1/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return client.recv(1000).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
