"""The log file of one process: what it prints goes straight into the file, and we read it from there.

No pipe lies between, so a process that outlives us for a moment can still write.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO

LARGEST = 10_000_000


class LogFile:
    """A file that one process appends to.

    Args:
        path: of the file; the one before it is kept as `<path>.1`.
        largest: bytes from which on the file is set aside.
    """

    def __init__(self, path: Path, *, largest: int = LARGEST) -> None:
        self.path = path
        self._largest = largest
        self._read_to = path.stat().st_size if path.exists() else 0
        self._began_at = self._read_to
        self._unfinished = b""

    def open(self) -> BinaryIO:
        """The file to hand to a new process as its output."""
        self.keep_small()
        self._began_at = self.path.stat().st_size if self.path.exists() else 0
        return self.path.open("ab")

    def new_lines(self) -> list[str]:
        """The whole lines that have come since the last call."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            came = file.read()
        self._read_to += len(came)
        *lines, self._unfinished = (self._unfinished + came).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def end(self, lines: int = 15) -> str:
        """The last lines of the process that was started last."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(min(self._began_at, self.path.stat().st_size))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def keep_small(self) -> None:
        """Set the file aside when it has become large, and go on with an empty one."""
        if not self.path.exists() or self.path.stat().st_size <= self._largest:
            return
        # Copied and emptied, not renamed: the process goes on writing into the file that it has.
        shutil.copyfile(self.path, self.path.with_name(self.path.name + ".1"))
        with self.path.open("r+b") as file:
            file.truncate(0)
        self._read_to = self._began_at = 0
