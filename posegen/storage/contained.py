"""Files below one root folder, reached name by name, so that no symbolic link below the root is ever followed.

Names come in already validated (`keys.py`), errors go out as the system's own `OSError`. What a key, a store or a
content hash is, this module does not know.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from posegen.folders import make_folders

FILE_MODE = 0o644
FOLDER_MODE = 0o755
_PRUNE_RACES = 100
_PENDING_NAME = re.compile(r"\.[0-9a-f]{16}\.pending", re.ASCII)

_OPEN_ROOT = os.O_RDONLY | os.O_DIRECTORY
_OPEN_FOLDER = _OPEN_ROOT | os.O_NOFOLLOW
# Not blocking: a FIFO in this place would otherwise wait for its other end.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_OPEN_PENDING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@contextmanager
def opened_folder(root: Path, names: Sequence[str]) -> Iterator[int]:
    """The descriptor of an existing folder. Raises `OSError` (ENOENT; ENOTDIR for a link or file on the way)."""
    folder = _walk(root, names, create=False)
    try:
        yield folder
    finally:
        os.close(folder)


def pending_file(root: Path, names: Sequence[str]) -> PendingFile:
    """A new file in the folder; what is missing of root and folders is made, with mode 0755 whatever the umask."""
    for _ in range(_PRUNE_RACES):
        try:
            return PendingFile(_walk(root, names, create=True))
        except FileNotFoundError:  # a delete has pruned the folder before there was a file in it
            continue
    raise FileNotFoundError(errno.ENOENT, "the folder is removed again and again", str(root.joinpath(*names)))


def open_regular(folder: int, name: str) -> int:
    """A descriptor to read the file with. Raises ENOENT, and ELOOP for anything that is no regular file."""
    file = os.open(name, _OPEN_FILE, dir_fd=folder)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(errno.ELOOP, "not a regular file", name)


def regular_status(folder: int, name: str) -> os.stat_result:
    """Size and times of a file. Raises ENOENT, and ELOOP for anything that is no regular file."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ELOOP, "not a regular file", name)
    return status


def scan(folder: int) -> tuple[list[str], set[str]]:
    """The names of all regular files and folders in a folder, unsorted, and which of them are folders."""
    names: list[str] = []
    folders: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.add(entry.name)
                names.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                names.append(entry.name)
    return names, folders


def is_pending(name: str) -> bool:
    """Whether this is the hidden name of a `PendingFile`, written to right now or left by a process that was killed."""
    return _PENDING_NAME.fullmatch(name) is not None


def prune(root: Path, names: Sequence[str]) -> None:
    """Removes the folder and those above it up to the root, as far as they are empty.

    Only `rmdir`, which refuses a folder with anything in it: a put that is under way keeps its folder.
    """
    for depth in range(len(names), 0, -1):
        try:
            with opened_folder(root, names[: depth - 1]) as parent:
                os.rmdir(names[depth - 1], dir_fd=parent)
        except OSError:  # in use, gone already, or not ours to remove: an empty folder is harmless
            return


class PendingFile:
    """A file that has no visible name yet: written under a hidden one, then published whole or dropped.

    Leaving the `with` block drops it unless it was published; a killed process leaves the hidden file behind, which
    nothing reads. Raises `OSError`.
    """

    def __init__(self, folder: int) -> None:
        """`folder`: a descriptor, which belongs to this file from now on."""
        self.folder = folder
        self._hidden = f".{secrets.token_hex(8)}.pending"
        self._published = False
        try:
            self._file = os.open(self._hidden, _OPEN_PENDING, FILE_MODE, dir_fd=folder)
        except OSError:
            os.close(folder)
            raise

    def __enter__(self) -> PendingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._published:
            with suppress(OSError):
                os.unlink(self._hidden, dir_fd=self.folder)
        os.close(self._file)
        os.close(self.folder)

    def write(self, data: bytes) -> None:
        """Appends all of the data."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def sync(self) -> None:
        """Makes the bytes survive a power cut, before any name points at them."""
        os.fchmod(self._file, FILE_MODE)  # os.open has applied the umask
        os.fsync(self._file)

    def create(self, name: str) -> None:
        """Publishes under a name that nothing has yet. Raises `FileExistsError`."""
        os.link(self._hidden, name, src_dir_fd=self.folder, dst_dir_fd=self.folder, follow_symlinks=False)
        self._published = True
        with suppress(FileNotFoundError):
            os.unlink(self._hidden, dir_fd=self.folder)
        os.fsync(self.folder)

    def replace(self, name: str) -> None:
        """Publishes in the place of whatever file has the name."""
        os.rename(self._hidden, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        self._published = True
        os.fsync(self.folder)


def _walk(root: Path, names: Sequence[str], *, create: bool) -> int:
    folder = _open_root(root, create=create)
    for name in names:
        try:
            below = _enter(folder, name, create=create)
        finally:
            os.close(folder)
        folder = below
    return folder


def _open_root(root: Path, *, create: bool) -> int:
    """The root itself may be a link: the operator chose it."""
    try:
        return os.open(root, _OPEN_ROOT)
    except FileNotFoundError:
        if not create:
            raise
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    make_folders(root, lambda _: FOLDER_MODE)
    for made in missing:
        _sync_folder(made.parent)
    return os.open(root, _OPEN_ROOT)


def _enter(parent: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _OPEN_FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
    except FileExistsError:  # another put was quicker, and syncs the parent
        return os.open(name, _OPEN_FOLDER, dir_fd=parent)
    folder = os.open(name, _OPEN_FOLDER, dir_fd=parent)
    try:
        os.fchmod(folder, FOLDER_MODE)  # os.mkdir has applied the umask
        os.fsync(parent)
    except OSError:
        os.close(folder)
        raise
    return folder


def _sync_folder(path: Path) -> None:
    folder = os.open(path, _OPEN_ROOT)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
