"""Waiting for processes, and killing them the hard way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import psycopg

from posegen.supervisor.process_groups import members


def until(condition: Callable[[], object], seconds: float = 180) -> None:
    """Waits until the condition holds; fails when it does not in good time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def crash_postgres(url: str) -> None:
    """Kills the main process of the server, and with it all others. `url`: of one of its databases, as superuser."""
    with psycopg.connect(url) as connection:
        [pid_file] = connection.execute("select pg_read_file('postmaster.pid')").fetchone() or [""]
    pid = int(pid_file.split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not members(pid))
