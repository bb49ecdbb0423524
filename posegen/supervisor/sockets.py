"""Where the code server's Unix socket lies: a process that can reach it can start runs, so only its owner may."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from posegen.errors import PlatformUnusable
from posegen.folders import LONGEST_SOCKET_PATH, keep_folder, make_folders, short_place

LONGEST_NAME = "code-4194304.sock"
# gRPC reads the path as part of a URL.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


def code_server_socket(home: Path, pid: int) -> Path:
    """The socket for the `up` of process `pid`, in a private folder that is always the same one for a data folder.

    An earlier code server that still ends keeps a name of its own, and takes away no other when it goes.
    Raises `PlatformUnusable` when that folder belongs to another user.
    """
    folder = home / "run"
    if len(os.fsencode(folder / LONGEST_NAME)) > LONGEST_SOCKET_PATH or not PLAIN_PATH.fullmatch(str(folder)):
        name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = short_place() / f"posegen-{os.geteuid()}-{name}"
    _make_private(folder)
    for stale in folder.glob("code-*.sock"):
        stale.unlink()
    return folder / f"code-{pid}.sock"


def _make_private(folder: Path) -> None:
    try:
        make_folders(folder.parent, lambda mode: mode)
        ours = keep_folder(folder, 0o700)
    except OSError as refused:
        raise PlatformUnusable(
            f"The code server needs a folder for its socket, and {folder} cannot be made: {refused.strerror}. Make "
            f"{folder.parent} a folder that this user may write to."
        ) from refused
    if not ours:
        raise PlatformUnusable(f"{folder} should be a folder of ours that no other user may write to. Remove it.")
    folder.chmod(0o700)
