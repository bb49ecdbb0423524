"""Processes seen from outside, and killing them the hard way."""

from __future__ import annotations

import os
import signal

import psycopg

from posegen.supervisor.process_groups import members
from tests.concurrency import until


def leads_a_group(pid: int) -> bool:
    """Whether the process was started as a program of its own; the forks of a program are in its group."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def crash_postgres(url: str) -> None:
    """Kills the main process of the server, and with it all others. `url`: of one of its databases, as superuser."""
    with psycopg.connect(url) as connection:
        [pid_file] = connection.execute("select pg_read_file('postmaster.pid')").fetchone() or [""]
    pid = int(pid_file.split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not members(pid))
