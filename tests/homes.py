"""`posegen up` in processes of its own, with a folder and a database of its own; everything is seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from posegen.database.server import open_server
from posegen.running_platform import find_platform
from posegen.settings import PROJECT_ROOT, Settings
from posegen.supervisor.environment import dagster_environment
from posegen.supervisor.ports import choose_port
from tests.concurrency import until

T = TypeVar("T")

UP = "Posegen is up"
START_SECONDS = 300
PRICE = 30
# A worker that was killed is missed after this long.
LEASE_SECONDS = 6
# What a shell's `&` and `nohup` do to their children: `up` has to end on SIGINT all the same, and to outlive SIGHUP.
IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT HUP; exec "$@"', "sh")


@dataclass
class Home:
    """A data folder, and the `posegen up` that serves it when a test has asked for one."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    _connection: psycopg.Connection[dict[str, Any]] | None = field(default=None, repr=False)

    # --- the command ------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start `posegen up &` unless it runs, and wait until it says that it is up."""
        if self.is_up:
            return
        port = choose_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}"
        log = self.folder / "up.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*IN_THE_BACKGROUND, sys.executable, "-m", "posegen.cli.main", "up", "--port", str(port)],
                env=self.environment, cwd=PROJECT_ROOT, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.wait(lambda: UP in log.read_text() or self.process.poll() is not None, START_SECONDS)
        assert UP in log.read_text(), log.read_text()
        self.read_variables()

    def read_variables(self) -> None:
        """Learn where the databases are, as `posegen env` does."""
        self.disconnect()
        settings = Settings(posegen_home=self.folder, database_url=None)
        with open_server(settings) as urls:
            self.variables = {"DATABASE_URL": urls.application, **dagster_environment(settings, urls)}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A `posegen` command that stays."""
        return subprocess.Popen(
            [sys.executable, "-m", "posegen.cli.main", *arguments],
            env=self.environment, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def posegen(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Another `posegen` command in the same folder; it has to end with this exit code."""
        ended = subprocess.run(
            [sys.executable, "-m", "posegen.cli.main", *map(str, arguments)],
            env=self.environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended

    @property
    def environment(self) -> dict[str, str]:
        """Of every process that works with this folder."""
        inherited = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        return {
            **inherited,
            "POSEGEN_HOME": str(self.folder),
            "POSEGEN_LEASE_SECONDS": str(LEASE_SECONDS),
            "POSEGEN_MAX_RUNNING": "2",
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    # --- the database, as a foreign backend sees it -----------------------------------------------------------

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """What a statement answers that a foreign program sends."""
        cursor = self._connect().execute(statement, values)  # type: ignore[call-overload]
        return [] if cursor.description is None else cursor.fetchall()

    def value(self, statement: str, *values: object) -> Any:
        """The one value that a statement answers."""
        (row,) = self.sql(statement, *values)
        (only,) = row.values()
        return only

    def a_user(self, credits: int = 10_000) -> UUID:
        """A user with credits to spend."""
        user = self.value("insert into users (name) values ('Ayu') returning id")
        if credits:
            self.sql("select grant_credits(%s, %s, 'a gift')", user, credits)
        return UUID(str(user))

    def insert(self, user: UUID, **columns: object) -> UUID:
        """One request by a plain INSERT."""
        (generation,) = self.insert_many({"user_id": user, **columns})
        return generation

    def insert_many(self, *requests: Mapping[str, object]) -> list[UUID]:
        """Many requests by one INSERT; what a request does not name has its default."""
        names = sorted({name for request in requests for name in request})
        row = [
            sql.SQL("({})").format(
                sql.SQL(", ").join(sql.Placeholder() if name in request else sql.SQL("default") for name in names)
            )
            for request in requests
        ]
        statement = sql.SQL("insert into generation_requests ({}) values {} returning id").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(row)
        )
        values = [request[name] for request in requests for name in names if name in request]
        adapted = [Jsonb(value) if isinstance(value, dict) else value for value in values]
        return [UUID(str(row["id"])) for row in self._connect().execute(statement, adapted)]

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        """The kept connection, or a new one where the server has ended that: waiting looks many times a second."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.variables["DATABASE_URL"], autocommit=True, row_factory=dict_row)
        return self._connection

    def disconnect(self) -> None:
        """Give the kept connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def result(self, generation: UUID) -> dict[str, Any]:
        """The generation as its customer's backend sees it."""
        (row,) = self.sql("select * from generation_results where generation_id = %s", generation)
        return row

    def poses(self, generation: UUID) -> list[dict[str, Any]]:
        """Its poses as that backend sees them."""
        return self.sql("select * from pose_results where generation_id = %s order by position", generation)

    def credits(self, user: UUID) -> tuple[int, int, int]:
        """Available, held, spent."""
        (row,) = self.sql("select * from accounts where user_id = %s", user)
        return row["credits_available"], row["credits_held"], row["credits_spent"]

    def ended(self, *generations: UUID, seconds: float = 180) -> list[dict[str, Any]]:
        """Wait until these have ended; what became of them, in the order of the arguments."""

        def all_ended() -> bool:
            open_ = "select count(*) from generations where id = any(%s) and finished_at is null"
            return bool(self.value(open_, list(generations)) == 0)

        self.wait(all_ended, seconds)
        return [self.result(each) for each in generations]

    def at_work(self, generation: UUID, *, completed: int) -> None:
        """Wait until so many poses are completed, and the generation is not."""
        self.wait(lambda: self.result(generation)["poses_completed"] >= completed)
        assert self.result(generation)["status"] == "running"

    # --- the webserver ----------------------------------------------------------------------------------------

    def get(self, path: str) -> tuple[int, Message, bytes]:
        """Status, headers and body of what a browser gets."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=180) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read()

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """What Dagster's GraphQL answers."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        question = urllib.request.Request(self.url + "/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(question, timeout=180) as answer:
            document = json.load(answer)
        assert "errors" not in document, document
        data: dict[str, Any] = document["data"]
        return data

    def runs(self, generation: UUID) -> list[dict[str, str]]:
        """Id and status of the runs of a generation, the latest first."""
        found = self.ask(_RUNS, partition=str(generation))["runsOrError"]["results"]
        return [{"id": run["runId"], "status": run["status"]} for run in found]

    # --- the HTTP API -----------------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """What the URLs of the API begin with."""
        found = find_platform(self.folder)
        assert found is not None
        assert found.api_url is not None
        return found.api_url

    # --- processes --------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether `up` runs."""
        return self.process is not None and self.process.poll() is None

    def processes(self) -> list[int]:
        """Whatever runs for this folder, whoever its parent is by now; PostgreSQL apart."""
        mark = f"POSEGEN_HOME={self.folder}".encode()
        return [pid for pid in _all_processes() if mark in _environ(pid).split(b"\0")]

    def postmaster(self) -> int:
        """The main process of the embedded server."""
        return int(self.value("select pg_read_file('postmaster.pid')").split()[0])

    def cut_power(self) -> None:
        """Kill everything at once but PostgreSQL, so that nobody is left to tell the others."""
        for pid in self.processes():
            with suppress(ProcessLookupError):  # a run that has just ended
                os.kill(pid, signal.SIGKILL)
        self.kill()
        self.wait(lambda: not self.processes())

    def stop(self, number: signal.Signals) -> None:
        """Send `up` a signal, on which it has to end without an error."""
        assert self.process is not None
        self.disconnect()
        self.process.send_signal(number)
        assert self.process.wait(180) == 0, (self.folder / "up.log").read_text()

    def kill(self) -> None:
        """Kill `up` alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(180)

    def clean_up(self) -> None:
        """End what is left, the kind way first."""
        self.disconnect()
        if self.is_up:
            try:
                self.stop(signal.SIGTERM)
            except (subprocess.TimeoutExpired, AssertionError):
                self.cut_power()
                raise

    def wait(self, condition: Callable[[], T], seconds: float = 180) -> T:
        """Wait until the condition holds; when it never does, say what the processes have logged last."""
        try:
            return until(condition, seconds=seconds)
        except AssertionError as never:
            raise AssertionError(f"{never}\n{self._last_words()}") from None

    def _last_words(self) -> str:
        logs = [self.folder / "up.log", *sorted((self.folder / "logs").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs if log.exists())


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def names_in_the_checkout() -> set[str]:
    """What lies in it, but for what pytest and hypothesis write there."""
    return {entry.name for entry in PROJECT_ROOT.iterdir()} - {".hypothesis", ".pytest_cache"}


_LEFT_OUT = {"DATABASE_URL", "DAGSTER_HOME"}
_RUNS = """
query($partition: String!) {
  runsOrError(filter: {tags: [{key: "dagster/partition", value: $partition}]}) {
    ... on Runs {results {runId status}}
  }
}
"""


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environ(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "environ").read_bytes()
    except OSError:
        return b""
