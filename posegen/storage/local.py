"""The store on a local disk: one file per object below one root folder, and nothing beside it.

A put writes a hidden file in the target's folder, syncs it, and gives it its name in one step. Content type and
caching follow from the key; size, SHA-256 and CRC-32 are those of the bytes that lie there (`docs/adr/0002`).
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from posegen.errors import (
    InvalidKey,
    ObjectCorrupt,
    ObjectExists,
    ObjectMissing,
    StorageError,
    StoreDenied,
    StoreFull,
    StoreUnavailable,
)
from posegen.storage.contained import (
    PendingFile,
    open_regular,
    opened_folder,
    pending_file,
    prune,
    regular_status,
    scan,
)
from posegen.storage.hashing import Fingerprint, chunks_of, copy_hashed, fingerprint, fingerprint_stream
from posegen.storage.keys import content_type_of, is_segment, validate_key, validate_prefix
from posegen.storage.protocol import ObjectEntry, ObjectInfo, StoreHealth, check_attributes

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
# ENOTDIR, ELOOP, EISDIR, ENXIO: a link, folder, pipe or socket stands where an object or a folder of ours should be.
_IN_THE_WAY = {errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO}
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_CREATE_RACES = 100


class LocalStore:
    """An `ObjectStore` below `root`, which is made on the first put.

    `base_url`: what public URLs begin with, such as `/media`, without or with a slash at the end.
    """

    def __init__(self, root: Path, *, base_url: str, name: str = "local") -> None:
        self._root = root.absolute()
        self._base_url = base_url.rstrip("/")
        self._name = name

    @property
    def name(self) -> str:
        """The store's name in the table `stores`."""
        return self._name

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        content_type: str,
        create_only: bool = True,
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """See `ObjectStore.put`. The file is synced before it gets its name, the folder afterwards."""
        folders, name = self._split(key)
        check_attributes(
            key, store=self._name, content_type=content_type, cache_control=cache_control, metadata=metadata
        )
        if create_only and isinstance(data, bytes) and self.exists(key):
            known = fingerprint(data)
            if self._holds(key, known):
                return _info(key, known)
        with self._writing(key):
            pending = pending_file(self._root, folders)
        with pending:
            # Only our own writes are translated: an OSError of the stream is the caller's.
            stored = copy_hashed((data,) if isinstance(data, bytes) else chunks_of(data), self._appender(pending, key))
            with self._writing(key):
                pending.sync()
                if create_only:
                    self._create(pending, name, key, stored)
                else:
                    pending.replace(name)
        return _info(key, stored)

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        """See `ObjectStore.get`."""
        with self._reading(key), self.open(key) as file:
            data = file.read()
        if sha256 is not None and (found := fingerprint(data).sha256) != sha256:
            raise ObjectCorrupt(
                f"The bytes have SHA-256 {found}, not {sha256} as recorded; restore the object from a backup.",
                store=self._name,
                key=key,
            )
        return data

    def open(self, key: str) -> BinaryIO:
        """See `ObjectStore.open`."""
        folders, name = self._split(key)
        with self._reading(key), opened_folder(self._root, folders) as folder:
            return os.fdopen(open_regular(folder, name), "rb")

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `ObjectStore.get_range`."""
        if start < 0 or length < 0:
            raise ValueError(f"A range needs start and length of 0 or more, not {start} and {length}.")
        with self._reading(key), self.open(key) as file:
            size = os.fstat(file.fileno()).st_size  # reading would make room for the whole length first
            file.seek(min(start, size))
            return file.read(min(length, size))

    def head(self, key: str) -> ObjectInfo:
        """See `ObjectStore.head`. Reads the whole object, so the hash is that of the bytes, not of a note on them."""
        with self._reading(key), self.open(key) as file:
            return _info(key, fingerprint_stream(file))

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        folders, name = self._split(key)
        try:
            with self._reading(key), opened_folder(self._root, folders) as folder:
                regular_status(folder, name)
        except ObjectMissing:
            return False
        return True

    def delete(self, *keys: str) -> int:
        """See `ObjectStore.delete`. Not synced: what a power cut brings back, the reconciler deletes again."""
        found = {key: self._split(key) for key in keys}
        for key, (folders, name) in found.items():
            self._remove(key, folders, name)
        return len(found)

    def delete_prefix(self, prefix: str) -> int:
        """See `ObjectStore.delete_prefix`."""
        if not prefix:
            raise InvalidKey("An empty prefix would delete everything; name a folder.", store=self._name, key=prefix)
        return sum(self.delete(entry.key) for entry in self.list(prefix))

    def list(self, prefix: str = "") -> Iterator[ObjectEntry]:
        """See `ObjectStore.list`. Costs the memory of the names in one folder; other people's files are left out."""
        return self._walk(validate_prefix(prefix, store=self._name))

    def public_url(self, key: str) -> str:
        """See `ObjectStore.public_url`."""
        return f"{self._base_url}/{quote(validate_key(key, store=self._name))}"

    def copy(self, source: str, target: str) -> ObjectInfo:
        """See `ObjectStore.copy`. Real bytes, no hard link: a copy has its own age, and one bad sector hits one."""
        with self.open(source) as stream:
            return self.put(target, stream, content_type=content_type_of(source))

    def health(self) -> StoreHealth:
        """See `ObjectStore.health`."""
        key, data = f"health/{secrets.token_hex(8)}.txt", secrets.token_bytes(1024)
        started = time.perf_counter()
        stored = self.put(key, data, content_type="text/plain")
        written = time.perf_counter()
        self.get(key, sha256=stored.sha256)
        read = time.perf_counter()
        self.delete(key)
        deleted = time.perf_counter()
        with self._reading(key):
            space = os.statvfs(self._root)
        return StoreHealth(
            store=self._name,
            write_seconds=written - started,
            read_seconds=read - written,
            delete_seconds=deleted - read,
            free_bytes=space.f_bavail * space.f_frsize,
        )

    def _split(self, key: str) -> tuple[tuple[str, ...], str]:
        *folders, name = validate_key(key, store=self._name).split("/")
        return tuple(folders), name

    def _appender(self, pending: PendingFile, key: str) -> Callable[[bytes], None]:
        def append(chunk: bytes) -> None:
            with self._writing(key):
                pending.write(chunk)

        return append

    def _create(self, pending: PendingFile, name: str, key: str, stored: Fingerprint) -> None:
        for _ in range(_CREATE_RACES):
            try:
                return pending.create(name)
            except FileExistsError:
                if self._holds(key, stored):
                    return None
            except OSError as failure:
                if failure.errno not in _NO_HARD_LINKS:
                    raise
                raise StoreDenied(
                    f"The file system of {self._root} makes no hard links ({failure.strerror}); "
                    "point STORAGE_LOCAL_PATH at one that does, such as ext4, XFS or APFS.",
                    store=self._name,
                    key=key,
                ) from failure
        raise StoreUnavailable("The object is created and deleted again and again.", store=self._name, key=key)

    def _holds(self, key: str, wanted: Fingerprint) -> bool:
        """Whether the object is there with these bytes, durably; `ObjectExists` when it has others."""
        folders, name = self._split(key)
        with self._writing(key):
            try:
                with opened_folder(self._root, folders) as folder, os.fdopen(open_regular(folder, name), "rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    if size == wanted.size and fingerprint_stream(file) == wanted:
                        os.fsync(folder)  # whoever wrote it may not have come that far yet
                        return True
            except FileNotFoundError:
                return False
        raise ObjectExists(
            f"Another object of {size} bytes is there already, and this put of {wanted.size} bytes "
            f"(SHA-256 {wanted.sha256}) may only create.",
            store=self._name,
            key=key,
        )

    def _remove(self, key: str, folders: tuple[str, ...], name: str) -> None:
        try:
            with self._reading(key), opened_folder(self._root, folders) as folder:
                regular_status(folder, name)
                os.unlink(name, dir_fd=folder)
        except ObjectMissing:
            pass
        prune(self._root, folders)

    def _walk(self, prefix: str) -> Iterator[ObjectEntry]:
        try:
            with self._reading(prefix), opened_folder(self._root, prefix.split("/")[:-1]) as folder:
                names, folders = scan(folder)
                # S3 compares whole keys, in which a folder's name goes on with a slash.
                for name in sorted(f"{name}/" if name in folders else name for name in names if is_segment(name)):
                    if name.endswith("/"):
                        yield from self._walk(prefix + name)
                    elif (entry := _entry(folder, name, prefix)) is not None:
                        yield entry
        except ObjectMissing:  # the folder was never there, or is gone by now
            return

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            if failure.errno == errno.ENOENT or failure.errno in _IN_THE_WAY:
                raise ObjectMissing("There is no object under this key.", store=self._name, key=key) from None
            raise self._failed(failure, key) from failure

    @contextmanager
    def _writing(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            if failure.errno in _IN_THE_WAY:
                raise InvalidKey(
                    "A link, or a file in the place of a folder, or a folder in the place of a file stands in the way "
                    f"of this key below {self._root}; the store follows no links.",
                    store=self._name,
                    key=key,
                ) from failure
            raise self._failed(failure, key) from failure

    def _failed(self, failure: OSError, key: str) -> StorageError:
        reason = f"{failure.strerror} (below {self._root})"
        if failure.errno in _FULL:
            return StoreFull(f"{reason}: free some space or raise the quota.", store=self._name, key=key)
        if failure.errno in _DENIED:
            return StoreDenied(f"{reason}: let this process read and write there.", store=self._name, key=key)
        if failure.errno == errno.ENAMETOOLONG:
            return InvalidKey(f"{reason}: this file system takes shorter names only.", store=self._name, key=key)
        return StoreUnavailable(f"{reason}.", store=self._name, key=key)


def _info(key: str, stored: Fingerprint) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=stored.size,
        sha256=stored.sha256,
        crc32=stored.crc32,
        content_type=content_type_of(key),
    )


def _entry(folder: int, name: str, prefix: str) -> ObjectEntry | None:
    try:
        status = regular_status(folder, name)
    except OSError as failure:
        if failure.errno in {errno.ENOENT, errno.ELOOP}:  # deleted or replaced by something else since the scan
            return None
        raise
    return ObjectEntry(prefix + name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
