"""The PostgreSQL server that Posegen brings along: shared by our processes, started by the first, stopped by the last.

Three locks in `<home>/postgres` say all there is to know, and the kernel drops each when its holder dies:
`users.lock` is shared by every process that uses the server, `start.lock` is held by the one that starts it, and
`server.lock` by the server's own processes. How a server is made and run is in `cluster.py`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from posegen.database.cluster import HOST, PORTS, Cluster, data_directory, find_postmaster, port_is_free
from posegen.database.connection_file import RECORD_NAME, Record, read_record, write_record
from posegen.database.system_user import SystemUser, choose_binaries, choose_place, choose_system_user
from posegen.errors import EmbeddedServerFailed
from posegen.file_locks import EXCLUSIVE, SHARED, open_lock, try_lock, unlock, wait_until
from posegen.folders import LONGEST_SOCKET_PATH, is_ours, keep_folder, make_folders, passable, short_place

OWNER = "posegen"
START_ATTEMPTS = 5


@dataclass(frozen=True)
class ServerAddress:
    """Where the server listens and who may come in. The Unix socket asks for the password, too."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    socket_dir: Path


class EmbeddedServer:
    """One process's use of the embedded server of a data folder.

    Args:
        home: Posegen's data folder; everything lies in its sub-folder `postgres`.
        patience: seconds until a start is given up.
        remnant_patience: seconds that what a dead server has left behind may take to end by itself.
    """

    def __init__(self, home: Path, *, patience: float = 60, remnant_patience: float = 5) -> None:
        self.folder = home / "postgres"
        self._patience = patience
        self._remnant_patience = remnant_patience
        self._share: int | None = None
        self._holder = 0
        self._turn = threading.Lock()

    def acquire(self) -> ServerAddress:
        """Take a share in the server, and start it if need be: it runs at least as long as a process holds a share.

        Raises `EmbeddedServerFailed`.
        """
        try:
            if self._share is None:
                with self._explained():
                    self._share, self._holder = self._take_share(), os.getpid()
            return self.ensure_running()
        except BaseException:
            self.release()
            raise

    def ensure_running(self) -> ServerAddress:
        """The address of the server, which is started anew if it has died. Three file reads when it is alive.

        Raises `EmbeddedServerFailed`.
        """
        with self._turn, self._explained():
            if self._share is None:
                raise EmbeddedServerFailed("Acquire the embedded server before using it.")
            return self._address() or self._start()

    def release(self) -> None:
        """Give the share back. The last one out stops the server."""
        if self._share is not None and os.getpid() != self._holder:
            # A forked child has inherited the descriptor, but never was a user of its own.
            os.close(self._share)
            self._share = None
        with self._turn:
            share, self._share = self._share, None
            if share is None:
                return
            try:
                if try_lock(share, EXCLUSIVE):
                    self._stop()
                    unlock(share)
            finally:
                os.close(share)

    def __enter__(self) -> ServerAddress:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as refused:
            raise EmbeddedServerFailed(
                f"The embedded PostgreSQL server cannot use {self.folder}: {refused}. Set POSEGEN_HOME to a folder of "
                "yours on a local disk, or DATABASE_URL to use another server."
            ) from refused

    def _take_share(self) -> int:
        self._make_folder()
        share = open_lock(self.folder / "users.lock")
        # The exclusive holder is stopping the server: wait for that, then start it again.
        if wait_until(lambda: try_lock(share, SHARED), time.monotonic() + self._patience):
            return share
        os.close(share)
        raise EmbeddedServerFailed(
            f"Another process is stopping the server in {self.folder} and does not come to an end."
        )

    def _address(self) -> ServerAddress | None:
        record = read_record(self.folder)
        if record is None or record.sockets is None:
            return None
        postmaster = find_postmaster(self._cluster_folder(record))
        if postmaster is None or not postmaster.ready:
            return None
        return ServerAddress(HOST, postmaster.port, record.user, record.password, Path(record.sockets))

    def _start(self) -> ServerAddress:
        deadline = time.monotonic() + self._patience
        with self._lock_file("start.lock") as turn:
            if not wait_until(lambda: try_lock(turn, EXCLUSIVE), deadline):
                raise EmbeddedServerFailed(
                    f"Another process is starting the server in {self.folder} and does not come to an end."
                )
            cluster = self._open_cluster()
            for attempts_left in reversed(range(START_ATTEMPTS)):
                # The server inherits this lock, so each attempt needs an opening of its own.
                with self._lock_file("server.lock") as lock:
                    if address := self._settle(cluster, lock, deadline):
                        return address
                    try:
                        self._start_once(cluster, lock, deadline)
                    except EmbeddedServerFailed:
                        if not attempts_left or time.monotonic() > deadline:
                            raise
                if address := self._address():
                    return address
        raise EmbeddedServerFailed(f"The server ends as soon as it has started; see its log, {cluster.log}.")

    def _settle(self, cluster: Cluster, lock: int, deadline: float) -> ServerAddress | None:
        """Wait until the server accepts connections, or nothing of an earlier one lives any more and `lock` is ours."""
        while True:
            patience = min(deadline, time.monotonic() + self._remnant_patience)
            if wait_until(lambda: self._address() is not None or try_lock(lock, EXCLUSIVE), patience):
                return self._address()
            if find_postmaster(cluster.folder) is None:
                cluster.kill_remnants()
            if time.monotonic() > deadline:
                raise EmbeddedServerFailed(
                    f"The server neither accepts connections nor ends; see its log, {cluster.log}."
                )

    def _start_once(self, cluster: Cluster, lock: int, deadline: float) -> None:
        record = read_record(self.folder)
        assert record is not None
        sockets = self._choose_sockets(cluster, record)
        record = replace(record, port=_free_port(record.port), sockets=str(sockets))
        write_record(self.folder, record)
        if not cluster.data.exists():
            cluster.create(record.user, record.password, lock)
        cluster.start(record.port, sockets, lock, max(5.0, deadline - time.monotonic()))

    def _stop(self) -> None:
        record = read_record(self.folder)
        if record is None or find_postmaster(self._cluster_folder(record)) is None:
            return
        cluster = self._open_cluster()
        cluster.stop(self._patience)
        with self._lock_file("server.lock") as lock:
            wait_until(lambda: try_lock(lock, EXCLUSIVE), time.monotonic() + self._patience)
        if record.sockets is not None and Path(record.sockets) != cluster.folder:
            with suppress(OSError):
                Path(record.sockets).rmdir()

    def _open_cluster(self) -> Cluster:
        record = read_record(self.folder)
        user = choose_system_user(self.folder / "cluster" if record is None else self._cluster_folder(record))
        if record is None or self._was_left_unfinished(record, user):
            record = self._first_record(user)
            write_record(self.folder, record)
        folder = self._cluster_folder(record)
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != user.uid:
            user.own(folder)
        if not user.can_enter(folder):
            raise EmbeddedServerFailed(
                f"PostgreSQL runs as the user {user.name!r}, who may not enter {folder} any more. Let this user pass "
                "through the folders above it again, such as by `chmod a+x`."
            )
        return Cluster(folder, choose_binaries(user, folder.parent), user)

    def _was_left_unfinished(self, record: Record, user: SystemUser) -> bool:
        """Whether a first attempt chose a folder, made no data in it, and it would not be chosen again."""
        cluster = self._cluster_folder(record)
        if data_directory(cluster).exists() or user.can_enter(cluster.parent):
            return False
        with suppress(FileNotFoundError):
            cluster.rmdir()
        return True

    def _first_record(self, user: SystemUser) -> Record:
        if (self.folder / "cluster").exists():
            raise EmbeddedServerFailed(
                f"{self.folder / RECORD_NAME} is missing, and with it the password of the database. Bring it back, or "
                f"remove {self.folder} to begin anew without the data."
            )
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()
        place = choose_place(user, self.folder, label=digest[:12])
        # The first port to try follows from the folder, so that two checkouts rarely meet on one.
        port = PORTS[int(digest, 16) % len(PORTS)]
        return Record("." if place == self.folder else str(place), port, OWNER, secrets.token_urlsafe(24))

    def _cluster_folder(self, record: Record) -> Path:
        return self.folder / record.place / "cluster"

    def _choose_sockets(self, cluster: Cluster, record: Record) -> Path:
        """A folder short enough for a socket: the cluster's own, or a new one that only the server's user may enter."""
        if len(os.fsencode(cluster.folder / f".s.PGSQL.{PORTS.stop}")) <= LONGEST_SOCKET_PATH:
            return cluster.folder
        earlier = Path(record.sockets) if record.sockets is not None else cluster.folder
        reusable = earlier != cluster.folder and earlier.is_dir() and not earlier.is_symlink()
        if reusable and earlier.stat().st_uid == cluster.folder.stat().st_uid:
            return earlier
        sockets = Path(tempfile.mkdtemp(prefix="posegen-", dir=short_place()))
        cluster.user.own(sockets)
        return sockets

    def _make_folder(self) -> None:
        # Root's server runs as another user, who has to pass through, whatever the umask says.
        as_root = os.geteuid() == 0
        make_folders(self.folder.parent, passable if as_root else lambda mode: mode)
        if self.folder.exists() and not is_ours(self.folder):
            return  # another user's server, which root may use as well
        keep_folder(self.folder, 0o711 if as_root else 0o700)

    @contextmanager
    def _lock_file(self, name: str) -> Iterator[int]:
        descriptor = open_lock(self.folder / name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _free_port(wanted: int) -> int:
    """The wanted port, or the next free one."""
    first = PORTS.index(wanted) if wanted in PORTS else 0
    for offset in range(len(PORTS)):
        port: int = PORTS[(first + offset) % len(PORTS)]
        if port_is_free(port):
            return port
    raise EmbeddedServerFailed(f"None of the ports {PORTS.start} to {PORTS.stop - 1} is free.")
