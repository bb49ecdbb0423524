"""What an `OSError` below a local store's root means: which storage error it becomes, and what mends it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posegen.errors import InvalidKey, ObjectMissing, StorageError, StoreDenied, StoreFull, StoreUnavailable

# EFBIG: the limit of this process (ulimit -f) or of the file system.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
# ENOTDIR, ELOOP, EISDIR, ENXIO: a link, folder, pipe or socket stands where an object or a folder of ours should be.
_IN_THE_WAY = {errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO}
NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalErrors:
    """The errors of one store. `root`: its folder; `store`: its name."""

    def __init__(self, root: Path, store: str) -> None:
        self._root = root
        self._store = store

    @contextmanager
    def reading(self, key: str) -> Iterator[None]:
        """Inside the block an `OSError` becomes `ObjectMissing` or another storage error."""
        try:
            yield
        except OSError as failure:
            if failure.errno == errno.ENOENT or failure.errno in _IN_THE_WAY:
                raise ObjectMissing("There is no object under this key.", store=self._store, key=key) from None
            raise self._meaning(failure, key) from failure

    @contextmanager
    def writing(self, key: str) -> Iterator[None]:
        """Inside the block an `OSError` becomes `InvalidKey`, `StoreFull`, `StoreDenied` or `StoreUnavailable`."""
        try:
            yield
        except OSError as failure:
            if failure.errno in _IN_THE_WAY:
                raise InvalidKey(
                    "A link, or a file in the place of a folder, or a folder in the place of a file stands in the way "
                    f"of this key below {self._root}; the store follows no links.",
                    store=self._store,
                    key=key,
                ) from failure
            raise self._meaning(failure, key) from failure

    def no_hard_links(self, failure: OSError, key: str) -> StoreDenied:
        """The error of a file system on which nothing can be created without a race."""
        return StoreDenied(
            f"The file system of {self._root} makes no hard links ({failure.strerror}); "
            "point STORAGE_LOCAL_PATH at one that does, such as ext4, XFS or APFS.",
            store=self._store,
            key=key,
        )

    def _meaning(self, failure: OSError, key: str) -> StorageError:
        reason = f"{failure.strerror} (below {self._root})"
        if failure.errno in _FULL:
            return StoreFull(f"{reason}: free some space or raise the quota.", store=self._store, key=key)
        if failure.errno in _DENIED:
            return StoreDenied(f"{reason}: let this process read and write there.", store=self._store, key=key)
        if failure.errno == errno.ENAMETOOLONG:
            return InvalidKey(f"{reason}: this file system takes shorter names only.", store=self._store, key=key)
        return StoreUnavailable(f"{reason}.", store=self._store, key=key)
