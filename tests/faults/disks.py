"""Disks that fill up, turn read-only, or lie.

A `PrivateDisk` is a small tmpfs in a mount namespace of its own, which only processes that enter it can see. It goes
with its keeper, however that ends: nothing stays mounted on the machine.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from posegen.storage.hashing import Fingerprint
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectInfo

PATIENCE = 180.0
_KEEP = 'mount -t tmpfs -o "size=$1" tmpfs "$0" && echo ready && exec cat'


class PrivateDisk:
    """A disk of `megabytes` at `folder`, for those who enter its namespace."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._keeper = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _KEEP, str(folder), f"{megabytes}m"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n", "no disk could be mounted"

    @property
    def pid(self) -> int:
        """The process whose namespace the disk is in."""
        return self._keeper.pid

    @property
    def seen_from_outside(self) -> Path:
        """The same folder for a process that has not entered."""
        return Path(f"/proc/{self.pid}/root") / self.folder.relative_to("/")

    def fill(self) -> int:
        """Write until nothing more fits; answers how many bytes that were."""
        written = 0
        with self._ballast.open("wb", buffering=0) as ballast:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        written += ballast.write(b"\0" * size)
                except OSError:
                    continue
        return written

    def make_room(self) -> None:
        """Take the ballast off again."""
        self._ballast.unlink(missing_ok=True)

    def make_read_only(self) -> None:
        """Refuse every further write, whoever asks."""
        self._remount("ro")

    def make_writable(self) -> None:
        """Take writes again."""
        self._remount("rw")

    def __enter__(self) -> PrivateDisk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.communicate(timeout=PATIENCE)

    @property
    def _ballast(self) -> Path:
        return self.seen_from_outside / ".ballast"

    def _remount(self, mode: str) -> None:
        enter = ["nsenter", "--user", "--mount", "--preserve-credentials", "--target", str(self.pid)]
        deadline = time.monotonic() + PATIENCE
        while True:  # busy for as long as somebody is writing
            done = subprocess.run(
                [*enter, "mount", "-o", f"remount,{mode}", str(self.folder)], capture_output=True, check=False
            )
            if done.returncode == 0:
                return
            assert time.monotonic() < deadline, done.stderr.decode()
            time.sleep(0.005)


@cache
def private_disks_work() -> bool:
    """Whether this system lets us mount a disk of our own; in some containers it does not."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def enter_namespace(pid: int) -> None:
    """See what the process `pid` sees mounted. Only for a process with a single thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind in ("user", "mnt"):
        namespace = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        try:
            if libc.setns(namespace, 0) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"namespace {kind} of {pid}")
        finally:
            os.close(namespace)


class LyingStore(LocalStore):
    """A store on a disk that turns over one bit of each of the first `lies` objects that it is given."""

    def __init__(self, root: Path, *, base_url: str, lies: int) -> None:
        super().__init__(root, base_url=base_url)
        self._folder = root
        self._lies = lies

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        content_type: str,
        create_only: bool = True,
        known: Fingerprint | None = None,
    ) -> ObjectInfo:
        """Says that all is well."""
        stored = super().put(
            key,
            data,
            content_type=content_type,
            create_only=create_only,
            known=known,
        )
        if self._lies > 0:
            self._lies -= 1
            with (self._folder / key).open("r+b") as file:
                file.seek(stored.size // 2)
                (byte,) = file.read(1)
                file.seek(stored.size // 2)
                file.write(bytes([byte ^ 1]))
        return stored
