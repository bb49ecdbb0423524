"""The file in which the embedded server's place, port and password are kept, readable by its owner only."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from posegen.errors import EmbeddedServerFailed

RECORD_NAME = "connection.json"


@dataclass(frozen=True)
class Record:
    """What is kept about a server.

    Attributes:
        place: the folder that holds the cluster; relative when it is our own, so that the checkout can be moved.
        port: where it listened last, and listens again unless the port is taken.
        user: the superuser.
        password: the superuser's.
        sockets: the folder of the Unix socket, once there was one.
    """

    place: str
    port: int
    user: str
    password: str = field(repr=False)
    sockets: str | None = None


def read_record(folder: Path) -> Record | None:
    """What is kept in `folder`, or None when nothing is.

    Raises `EmbeddedServerFailed` when it cannot be understood.
    """
    path = folder / RECORD_NAME
    try:
        return Record(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as damaged:
        raise EmbeddedServerFailed(f"{path} is damaged ({damaged}); bring back a copy of it.") from damaged


def write_record(folder: Path, record: Record) -> None:
    """Keep the record in `folder`, whole or not at all, as a file of the folder's owner."""
    path = folder / RECORD_NAME
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(record), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    owner = folder.stat()
    if owner.st_uid != os.geteuid():
        os.chown(unfinished, owner.st_uid, owner.st_gid)
    unfinished.replace(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make sure that what was renamed in `folder` keeps its name over a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
