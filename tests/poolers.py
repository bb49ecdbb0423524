"""PgBouncer before a server, for tests that are skipped where it is not installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from posegen.database.system_user import choose_system_user
from posegen.supervisor.ports import choose_port

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
HOST = "127.0.0.1"
START_SECONDS = 30


@contextmanager
def pgbouncer(server_url: str, *, mode: str) -> Iterator[str]:
    """The URL of the same database through PgBouncer. `mode`: `session`, `transaction` or `statement`."""
    assert PGBOUNCER is not None
    parts = urlsplit(server_url)
    port = choose_port(HOST, 0)
    # PgBouncer refuses to run as root.
    user = choose_system_user(Path("/nonexistent"))
    with tempfile.TemporaryDirectory(prefix="posegen-pooler-") as folder:
        users, config = Path(folder) / "users.txt", Path(folder) / "pgbouncer.ini"
        users.write_text(f'"{parts.username}" "{parts.password}"\n')
        config.write_text(
            "[databases]\n"
            f"* = host={HOST} port={parts.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {users}\npool_mode = {mode}\ndefault_pool_size = 30\n"
        )
        for path in (Path(folder), users, config):
            user.own(path)
        process = subprocess.Popen(
            [PGBOUNCER, str(config)], stderr=subprocess.PIPE, text=True, cwd="/",
            user=user.uid, group=user.gid, extra_groups=None if user.uid is None else [],
        )  # fmt: skip
        try:
            _wait_for(process, port)
            login = (parts.netloc.rpartition("@")[0]) + "@"
            yield urlunsplit(parts._replace(netloc=f"{login}{HOST}:{port}", query=""))
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"pgbouncer did not start as {os.geteuid()}: {process.communicate()[1]}")
