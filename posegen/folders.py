"""Folders that Posegen makes: their modes, which the umask does not change, and places whose paths are short.

The modes of folders that Posegen has not made stay as they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LONGEST_SOCKET_PATH = 103
"""Bytes of a socket's path on macOS; Linux takes 107."""
SHORT_PLACES = (Path("/tmp"), Path("/var/tmp"))
"""For sockets, in the order of choice. TMPDIR may be too long for one, and may change between two starts."""


def short_place() -> Path:
    """The first of `SHORT_PLACES` that this user may write to."""
    return next((place for place in SHORT_PLACES if os.access(place, os.W_OK | os.X_OK)), SHORT_PLACES[0])


def make_folders(folder: Path, mode_of: Callable[[int], int]) -> None:
    """Make the folder and what is missing above it.

    Args:
        folder: an existing one stays as it is.
        mode_of: the mode of each new folder, from the one that the umask leaves it.
    """
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        with suppress(FileExistsError):
            missing.mkdir()
            missing.chmod(mode_of(stat.S_IMODE(missing.stat().st_mode)))


def passable(mode: int) -> int:
    """The mode with which other users may also pass through a folder, without reading it.

    >>> oct(passable(0o700)), oct(passable(0o755))
    ('0o711', '0o755')
    """
    return mode | 0o111


def is_ours(folder: Path) -> bool:
    """Whether this is a folder, not a link to one, that belongs to this user and that only this user may write to."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def keep_folder(folder: Path, mode: int) -> bool:
    """Make the folder with this mode, or add what an earlier umask or a kill has kept from its mode.

    Returns False, without any change, when the folder is not ours. Raises `OSError` when it cannot be made.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not is_ours(folder):
        return False
    found = stat.S_IMODE(folder.stat().st_mode)
    if mode & ~found:
        folder.chmod(found | mode)
    return True
