"""Walking through a local store: its objects in the order of their keys, and what killed writers have left.

Lazily: what it costs in memory are the names of one folder on each level. Other people's files are left out.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from posegen.errors import ObjectMissing
from posegen.storage.contained import is_pending, opened_folder, regular_status, scan
from posegen.storage.keys import is_segment
from posegen.storage.local_errors import LocalErrors
from posegen.storage.protocol import ObjectEntry, Unfinished


def entries(root: Path, prefix: str, errors: LocalErrors, *, start_after: str = "") -> Iterator[ObjectEntry]:
    """The objects below a prefix (empty, or with a slash at the end) whose keys come behind `start_after`."""
    try:
        with errors.reading(prefix), opened_folder(root, prefix.split("/")[:-1]) as folder:
            names, folders = scan(folder)
            # S3 compares whole keys, in which a folder's name goes on with a slash.
            for name in sorted(f"{name}/" if name in folders else name for name in names if is_segment(name)):
                key = prefix + name
                if name.endswith("/"):
                    if key > start_after or start_after.startswith(key):
                        yield from entries(root, key, errors, start_after=start_after)
                elif key > start_after and (entry := _entry(folder, name, key)) is not None:
                    yield entry
    except ObjectMissing:  # the folder was never there, or is gone by now
        return


def unfinished(root: Path, prefix: str, errors: LocalErrors) -> Iterator[Unfinished]:
    """The hidden files below a prefix that have no visible name yet."""
    try:
        with errors.reading(prefix), opened_folder(root, prefix.split("/")[:-1]) as folder:
            names, folders = scan(folder)
            for name in sorted(names):
                if name in folders and is_segment(name):
                    yield from unfinished(root, f"{prefix}{name}/", errors)
                elif is_pending(name) and (entry := _entry(folder, name, prefix + name)) is not None:
                    yield Unfinished(reference=entry.key, key=None, size=entry.size, started=entry.modified)
    except ObjectMissing:
        return


def _entry(folder: int, name: str, key: str) -> ObjectEntry | None:
    try:
        status = regular_status(folder, name)
    except OSError as failure:
        if failure.errno in {errno.ENOENT, errno.ELOOP}:  # deleted or replaced by something else since the scan
            return None
        raise
    return ObjectEntry(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
