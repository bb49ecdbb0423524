"""A Posegen of its own for a benchmark: `posegen up` in a folder that is thrown away, and what its processes cost."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from posegen.database.connection import Connection, Database
from posegen.database.server import open_server
from posegen.settings import Settings
from posegen.supervisor.environment import dagster_environment
from posegen.supervisor.ports import choose_port

START_SECONDS = 180
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """A platform that runs. `pid`: of `posegen up`; `dagster_url`: of Dagster's database.

    `dagster_environment`: what an instance of Dagster reads.
    """

    pid: int
    database: Database
    dagster_url: str
    dagster_environment: dict[str, str]
    user: UUID


@contextmanager
def running_platform(variables: Mapping[str, str] | None = None) -> Iterator[Measured]:
    """`posegen up` with default settings and an empty database, gone afterwards. `variables`: settings beside them."""
    with tempfile.TemporaryDirectory(prefix="posegen-benchmark-") as folder:
        home = Path(folder) / "home"
        # Bytecode is part of any real installation; without it every start would be timed with a compiler.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"POSEGEN_HOME": str(home), **(variables or {})}
        port = choose_port("127.0.0.1", 0)
        command = [sys.executable, "-m", "posegen.cli.main", "up", "--port", str(port)]
        log = Path(folder) / "up.log"
        with log.open("wb") as output:
            up = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _until_up(up, log)
            with open_server(Settings(posegen_home=home)) as urls, Database(urls.application) as database:
                found = dagster_environment(Settings(posegen_home=home), urls)
                yield Measured(up.pid, database, urls.dagster, found, _a_rich_user(database))
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


def ask(
    connection: Connection,
    user: UUID,
    poses: Sequence[str],
    formats: Sequence[str],
    *,
    variations: int = 1,
    backend: str | None = None,
    seed: int = 7,
) -> UUID:
    """One request, by the INSERT that a backend would send."""
    row = connection.execute(
        """
        insert into generation_requests (user_id, poses, formats, variations, seed, backend)
        values (%s, %s, %s, %s, %s, %s) returning id
        """,
        [user, list(poses), list(formats), variations, seed, backend],
    ).fetchone()
    assert row is not None
    return UUID(str(row["id"]))


def wait_until_ended(database: Database, generations: Sequence[UUID], seconds: float) -> None:
    """Wait until each has ended, and insist that each is completed."""
    deadline = time.monotonic() + seconds
    while True:
        with database.transaction() as connection:
            rows = connection.execute(
                "select status, count(*) as number from generations where id = any(%s) group by status",
                [list(generations)],
            ).fetchall()
        counts = {row["status"]: row["number"] for row in rows}
        if counts == {"completed": len(generations)}:
            return
        if counts.keys() & {"failed", "partial", "cancelled"} or time.monotonic() > deadline:
            raise SystemExit(f"not every generation was completed: {counts}")
        time.sleep(0.2)


def tree_of(pid: int) -> dict[int, str]:
    """The processes below `pid` and itself, by name: a program of ours, `runs`, or `PostgreSQL`."""
    children: dict[int, list[int]] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                commands[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found = {pid: "posegen up"}
    open_ = [pid]
    while open_:
        each = open_.pop()
        for child in children.get(each, []):
            name = _name(commands.get(child, ""))
            # The first fork server is a fork of the code server, and the runs are forks of it, with its command line.
            forks = {"code server": "fork server", "fork server": "runs"}
            found[child] = forks.get(found[each], name) if name in forks else name
            open_.append(child)
    return found


def processes_of_postgresql(database: Database) -> dict[int, str]:
    """The processes of the embedded server, the postmaster first, each with its name."""
    with database.transaction() as connection:
        row = connection.execute("select pg_backend_pid() as pid").fetchone()
    assert row is not None
    postmaster = int(Path(f"/proc/{row['pid']}/stat").read_text().rpartition(")")[2].split()[1])
    return dict.fromkeys(tree_of(postmaster), "PostgreSQL")


def cpu_of(pid: int) -> tuple[float, float]:
    """CPU seconds of a process so far, and those of its children that have ended. Raises `OSError` when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS


def cpu_by_program(platform: Measured) -> dict[str, float]:
    """CPU seconds so far, also of children that have ended, by program."""
    spent: dict[str, float] = {}
    for pid, name in {**tree_of(platform.pid), **processes_of_postgresql(platform.database)}.items():
        try:
            own, ended = cpu_of(pid)
        except OSError:
            continue
        spent[name] = spent.get(name, 0.0) + own
        # What a fork server's ended children spent is what the runs cost.
        below = "runs" if name == "fork server" else name
        spent[below] = spent.get(below, 0.0) + ended
    return spent


def peak_memory(pids: Sequence[int]) -> int:
    """The largest resident size that any of these has had, in bytes."""
    sizes = [0]
    for pid in pids:
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue
        sizes.append(int(found[1]) * 1024 if found else 0)
    return max(sizes)


def memory_of(platform: Measured) -> int:
    """Bytes that all its processes and PostgreSQL hold now; what several of them share counts once."""
    held = 0
    for pid in {**tree_of(platform.pid), **processes_of_postgresql(platform.database)}:
        try:
            found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        except OSError:
            continue
        held += int(found[1]) * 1024 if found else 0
    return held


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed, between neighbours where need be."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def machine() -> str:
    """One line on what was measured where."""
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, load before {load:.1f}"
    )


def _until_up(up: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "Posegen is up" not in log.read_text():
        if up.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"posegen up did not get ready:\n{log.read_text()}")
        time.sleep(0.1)


def _a_rich_user(database: Database) -> UUID:
    with database.transaction() as connection:
        row = connection.execute("insert into users (name) values ('benchmark') returning id").fetchone()
        assert row is not None
        connection.execute("select grant_credits(%s, 1000000, 'benchmark', 'benchmark')", [row["id"]])
        connection.execute("update accounts set storage_limit = 1000000000000 where user_id = %s", [row["id"]])
    return UUID(str(row["id"]))


def _name(command: str) -> str:
    for part, name in (
        ("multiprocessing.forkserver", "fork server"),
        ("resources.code_server", "code server"),
        ("resources.daemon", "daemon"),
        ("resources.webserver", "webserver"),
        ("postgres", "PostgreSQL"),
    ):
        if part in command:
            return name
    return "other processes"
