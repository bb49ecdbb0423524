"""Where the code server's Unix socket lies: whoever can reach it can start runs, so it is for its owner alone."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from posegen.errors import PlatformUnusable

# macOS takes 103 bytes, Linux 107.
LONGEST_PATH = 103
LONGEST_NAME = "code-4194304.sock"
# gRPC reads the path as part of a URL.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


def code_server_socket(home: Path, pid: int) -> Path:
    """The socket for the `up` of process `pid`, in a private folder that is always the same one for a data folder.

    An earlier code server that still ends keeps a name of its own, and takes away no other when it goes.
    Raises `PlatformUnusable` when that folder belongs to somebody else.
    """
    folder = home / "run"
    if len(os.fsencode(folder / LONGEST_NAME)) > LONGEST_PATH or not PLAIN_PATH.fullmatch(str(folder)):
        name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"posegen-{os.getuid()}-{name}"
    _make_private(folder)
    for stale in folder.glob("code-*.sock"):
        stale.unlink()
    return folder / f"code-{pid}.sock"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PlatformUnusable(f"{folder} should be a folder of ours, and belongs to user {found.st_uid}. Remove it.")
    folder.chmod(0o700)
