"""The embedded server as the tests of it look at it: from outside, by its processes, its users and their deaths."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from posegen.database.cluster import Postmaster, find_postmaster
from posegen.database.embedded import ServerAddress
from posegen.file_locks import wait_until
from posegen.settings import PROJECT_ROOT

Connection = psycopg.Connection[tuple[object, ...]]

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as somebody else")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells processes apart by /proc")

# A process that uses the server until it is told to leave.
USER = """
import json, sys
from pathlib import Path
from posegen.database.embedded import EmbeddedServer

server = EmbeddedServer(Path(sys.argv[1]))
address = server.acquire()
print(json.dumps([address.host, address.port, address.user, address.password, str(address.socket_dir)]), flush=True)
sys.stdin.readline()
server.release()
"""


class User:
    """Another process that uses the server of `home`."""

    def __init__(self, home: Path, *, python: str = sys.executable, path: str = "", uid: int | None = None) -> None:
        self.process = subprocess.Popen(
            [python, "-c", USER, home],
            env={"PYTHONPATH": os.pathsep.join(filter(None, [path, str(PROJECT_ROOT)])), "PATH": os.defpath},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )

    def address(self) -> ServerAddress:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        host, port, user, password, sockets = json.loads(line)
        return ServerAddress(host, port, user, password, Path(sockets))

    def leave(self) -> None:
        _, errors = self.process.communicate("\n", timeout=180)
        assert self.process.returncode == 0, errors

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


StartUser = Callable[..., User]


def end_server(home: Path) -> None:
    if (postmaster := find_server(home)) is not None:
        os.kill(postmaster.pid, signal.SIGQUIT)
        assert wait_until(lambda: not lives(postmaster.pid), time.monotonic() + 180)


def kill_server(home: Path) -> None:
    pid = running(home).pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not lives(pid), time.monotonic() + 180)


def record(home: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads((home / "postgres" / "connection.json").read_text())
    return content


def cluster_folder(home: Path) -> Path:
    return home / "postgres" / record(home)["place"] / "cluster"


def find_server(home: Path) -> Postmaster | None:
    return find_postmaster(cluster_folder(home)) if (home / "postgres" / "connection.json").exists() else None


def running(home: Path) -> Postmaster:
    postmaster = find_server(home)
    assert postmaster is not None
    return postmaster


def connect(address: ServerAddress, **other: object) -> Connection:
    login = {"host": address.host, "port": address.port, "user": address.user, "password": address.password}
    return psycopg.connect(dbname="postgres", autocommit=True, **{**login, **other})  # type: ignore[arg-type]


def answers(address: ServerAddress) -> bool:
    with connect(address) as connection:
        return connection.execute("select 1").fetchone() == (1,)


def run_python(script: str, *arguments: str | Path) -> None:
    """Run a script in a process of its own, which may fork and die as it likes."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={"PYTHONPATH": str(PROJECT_ROOT), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return sys.platform != "linux" or not is_zombie(pid)
    except (ProcessLookupError, FileNotFoundError):
        return False


def keep_answer(connection: Connection) -> None:
    connection.execute("drop table if exists kept")
    connection.execute("create table kept as select 42 as answer")


def kept_answer(connection: Connection) -> object:
    row = connection.execute("select answer from kept").fetchone()
    return row and row[0]
