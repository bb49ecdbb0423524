"""`posegen api` as a process of its own, for programs of others that talk to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from posegen.database.connection import Database
from posegen.settings import PROJECT_ROOT
from posegen.supervisor.ports import choose_port
from tests.concurrency import until


@contextmanager
def api_process(database: Database, home: Path, settings: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of an API that serves the database and the folder.

    Args:
        database: what it serves.
        home: POSEGEN_HOME.
        settings: further variables.
    """
    port = choose_port("127.0.0.1", 0)
    environment = {**os.environ, "DATABASE_URL": database.url, "POSEGEN_HOME": str(home), **(settings or {})}
    command = [sys.executable, "-m", "posegen.cli.main", "api", "--port", str(port)]
    with (home / "api.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=PROJECT_ROOT, stdout=log, stderr=log)
    try:
        until(lambda: _responds(f"http://127.0.0.1:{port}/v1/ready") or process.poll() is not None, seconds=120)
        assert process.poll() is None, (home / "api.log").read_text()
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
