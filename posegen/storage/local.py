"""The store on a local disk: one file per object below one root folder, and nothing beside it.

A put writes a hidden file in the target's folder, syncs it, and gives it its name in one step. Content type and
caching follow from the key; size, SHA-256 and CRC-32 are those of the bytes that lie there (`docs/adr/0002`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from posegen.errors import ObjectExists, ObjectMissing, StoreDenied, StoreUnavailable
from posegen.storage.contained import (
    PendingFile,
    is_pending,
    open_regular,
    opened_folder,
    pending_file,
    prune,
    regular_status,
)
from posegen.storage.hashing import Fingerprint, chunks_of, copy_hashed, fingerprint, fingerprint_stream
from posegen.storage.health import measured_health
from posegen.storage.keys import content_type_of, is_public, validate_key, validate_prefix
from posegen.storage.local_errors import NO_HARD_LINKS, LocalErrors
from posegen.storage.local_listing import entries, unfinished
from posegen.storage.protocol import (
    SIGNED_SECONDS,
    ObjectEntry,
    ObjectInfo,
    SignedPut,
    StoreHealth,
    Unfinished,
    check_content_type,
    check_lifetime,
    check_upload,
    upload_headers,
)
from posegen.storage.signing import Grant, granted
from posegen.storage.streams import check_bytes, reader_of, verified
from posegen.storage.traffic import Operation, Traffic, TrafficMeter

_CREATE_RACES = 100


class LocalStore:
    """An `ObjectStore` below `root`, which is made on the first put.

    `base_url`: what URLs begin with, such as `/media`, without or with a slash at the end; `signing_secret`: returns
    what URLs are signed with, or None where nothing is; `is_private`: only signed URLs show objects; `clock`: seconds
    since 1970.
    """

    def __init__(
        self,
        root: Path,
        *,
        base_url: str,
        name: str = "local",
        signing_secret: Callable[[], bytes | None] = lambda: None,
        is_private: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root.absolute()
        self._base_url = base_url.rstrip("/")
        self._name = name
        self._signing_secret = signing_secret
        self._is_private = is_private
        self._clock = clock
        self._errors = LocalErrors(self._root, name)
        self._meter = TrafficMeter()

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
        known: Fingerprint | None = None,
    ) -> ObjectInfo:
        """See `ObjectStore.put`. The file is synced before it gets its name, the folder afterwards."""
        folders, name = self._split(key)
        check_content_type(key, store=self._name, content_type=content_type)
        if isinstance(data, bytes):
            known = known or fingerprint(data)
        with self._meter.measuring(Operation.WRITE) as put:
            # Only a hint, by one call of the system: what it says is looked at without following any link.
            hinted = isinstance(data, bytes) and create_only and os.path.lexists(f"{self._root}/{key}")
            if hinted and known is not None and self._holds(key, known):
                stored, skipped = known, True
            else:
                stored, skipped = self._write(key, folders, name, data, known, create_only=create_only)
            put.bytes = stored.size
            put.operation = Operation.SKIPPED if skipped else Operation.WRITE
        return _info(key, stored, skipped=skipped)

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        """See `ObjectStore.get`."""
        with self._meter.measuring(Operation.READ) as read:
            with self._errors.reading(key), self._opened(key) as file:
                data = file.read()
            if sha256 is not None:
                found = hashlib.sha256(data).hexdigest()
                check_bytes(len(data), found, size=len(data), sha256=sha256, store=self._name, key=key)
            read.bytes = len(data)
        return data

    def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """See `ObjectStore.open`. Without `sha256` it is the file itself, which can be seeked in."""
        with self._meter.measuring(Operation.READ) as read:
            file = self._opened(key)
            read.bytes = size = os.fstat(file.fileno()).st_size
        if sha256 is None:
            return file
        chunks = verified(self._chunks(file, key), sha256=sha256, size=size, store=self._name, key=key)
        return reader_of(self._meter.watching(chunks), file.close)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `ObjectStore.get_range`."""
        if start < 0 or length < 0:
            raise ValueError(f"A range needs start and length of 0 or more, not {start} and {length}.")
        with self._meter.measuring(Operation.READ) as read, self._errors.reading(key), self._opened(key) as file:
            size = os.fstat(file.fileno()).st_size  # reading would make room for the whole length first
            file.seek(min(start, size))
            data = file.read(min(length, size))
            read.bytes = len(data)
        return data

    def head(self, key: str) -> ObjectInfo:
        """See `ObjectStore.head`. Reads the whole object, so the hash is that of the bytes, not of a note on them."""
        with self._meter.measuring(Operation.READ) as read, self._errors.reading(key), self._opened(key) as file:
            found = fingerprint_stream(file)
            read.bytes = found.size
        return _info(key, found)

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        folders, name = self._split(key)
        try:
            with (
                self._meter.measuring(Operation.READ),
                self._errors.reading(key),
                opened_folder(self._root, folders) as folder,
            ):
                regular_status(folder, name)
        except ObjectMissing:
            return False
        return True

    def delete(self, *keys: str) -> int:
        """See `ObjectStore.delete`. Not synced: what a power cut brings back, the reconciler deletes again."""
        found = {key: self._split(key) for key in keys}
        for key, (folders, name) in found.items():
            with self._meter.measuring(Operation.DELETE):
                self._remove(key, folders, name)
        return len(found)

    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[ObjectEntry]:
        """See `ObjectStore.list`. In the order of whole keys; costs the memory of the names in one folder."""
        validate_prefix(prefix, store=self._name)
        if start_after is not None:
            validate_key(start_after, store=self._name)
        return entries(self._root, prefix, self._errors, start_after=start_after or "")

    def public_url(self, key: str) -> str | None:
        """See `ObjectStore.public_url`."""
        path = quote(validate_key(key, store=self._name))
        return None if self._is_private else f"{self._base_url}/{path}"

    def shows(self, key: str) -> bool:
        """Whether anybody may read the object without a signature."""
        return not self._is_private and is_public(key) and content_type_of(key).startswith("image/")

    def signed_get_url(self, key: str, *, seconds: int = SIGNED_SECONDS) -> str:
        """See `ObjectStore.signed_get_url`."""
        check_lifetime(seconds)
        return self._signed(Grant("GET", validate_key(key, store=self._name), int(self._clock()) + seconds))

    def signed_put_url(self, key: str, *, content_type: str, size: int, seconds: int = SIGNED_SECONDS) -> SignedPut:
        """See `ObjectStore.signed_put_url`."""
        check_lifetime(seconds)
        check_upload(validate_key(key, store=self._name), store=self._name, content_type=content_type, size=size)
        url = self._signed(Grant("PUT", key, int(self._clock()) + seconds, content_type, size))
        return SignedPut(url, upload_headers(content_type, size))

    def grant_of(self, method: str, key: str, query: str) -> Grant | None:
        """What the query of a signed URL allows right now; None when this store has not signed it, or it expired."""
        secret = self._signing_secret()
        return None if secret is None else granted(method, key, query, secret=secret, now=self._clock())

    def copy(self, source: str, target: str) -> ObjectInfo:
        """See `ObjectStore.copy`. Real bytes, no hard link: a copy has its own age, and one bad sector hits one."""
        with self.open(source) as stream:
            return self.put(target, stream, content_type=content_type_of(source))

    def list_unfinished(self) -> Iterator[Unfinished]:
        """See `ObjectStore.list_unfinished`. The hidden files of puts; their reference is their path below the root."""
        return unfinished(self._root, "", self._errors)

    def delete_unfinished(self, unfinished: Unfinished) -> None:
        """See `ObjectStore.delete_unfinished`."""
        folder, _, name = unfinished.reference.rpartition("/")
        if not is_pending(name):
            raise ValueError(f"{unfinished.reference!r} is not the hidden file of a put.")
        self._remove(unfinished.reference, tuple(validate_key(folder, store=self._name).split("/")), name)

    def health(self) -> StoreHealth:
        """See `ObjectStore.health`."""
        measured = measured_health(self)
        with self._errors.reading(""):
            space = os.statvfs(self._root)
        return replace(measured, free_bytes=space.f_bavail * space.f_frsize)

    def traffic(self) -> Traffic:
        """See `ObjectStore.traffic`."""
        return self._meter.traffic()

    def _split(self, key: str) -> tuple[tuple[str, ...], str]:
        *folders, name = validate_key(key, store=self._name).split("/")
        return tuple(folders), name

    def _opened(self, key: str) -> BinaryIO:
        folders, name = self._split(key)
        with self._errors.reading(key), opened_folder(self._root, folders) as folder:
            return os.fdopen(open_regular(folder, name), "rb")

    def _chunks(self, file: BinaryIO, key: str) -> Iterator[bytes]:
        with self._errors.reading(key):
            yield from chunks_of(file)

    def _signed(self, grant: Grant) -> str:
        secret = self._signing_secret()
        if secret is None:
            raise StoreDenied(
                "This store was opened without a secret to sign with: set STORAGE_SIGNING_SECRET.",
                store=self._name,
                key=grant.key,
            )
        return f"{self._base_url}/{quote(grant.key)}?{grant.query(secret)}"

    def _write(
        self,
        key: str,
        folders: tuple[str, ...],
        name: str,
        data: bytes | BinaryIO,
        known: Fingerprint | None,
        *,
        create_only: bool,
    ) -> tuple[Fingerprint, bool]:
        """What was stored, and whether the same bytes were there before."""
        with self._errors.writing(key):
            pending = pending_file(self._root, folders)
        with pending:
            stored = self._fill(pending, key, data, known)
            with self._errors.writing(key):
                pending.sync()
                if create_only:
                    return stored, self._create(pending, name, key, stored)
                pending.replace(name)
        return stored, False

    def _fill(self, pending: PendingFile, key: str, data: bytes | BinaryIO, known: Fingerprint | None) -> Fingerprint:
        def append(chunk: bytes) -> None:
            # Only our own writes are translated: an OSError of the stream is the caller's.
            with self._errors.writing(key):
                pending.write(chunk)

        if isinstance(data, bytes) and known is not None:
            append(data)
            return known
        found = copy_hashed((data,) if isinstance(data, bytes) else chunks_of(data), append)
        if known is not None:
            check_bytes(found.size, found.sha256, size=known.size, sha256=known.sha256, store=self._name, key=key)
        return found

    def _create(self, pending: PendingFile, name: str, key: str, stored: Fingerprint) -> bool:
        """Whether the same bytes were there already, so that this file is not needed."""
        for _ in range(_CREATE_RACES):
            try:
                pending.create(name)
                return False
            except FileExistsError:
                if self._holds(key, stored):
                    return True
            except OSError as failure:
                if failure.errno in NO_HARD_LINKS:
                    raise self._errors.no_hard_links(failure, key) from failure
                raise
        raise StoreUnavailable("The object is created and deleted again and again.", store=self._name, key=key)

    def _holds(self, key: str, wanted: Fingerprint) -> bool:
        """Whether the object is there with these bytes, durably; `ObjectExists` when it has others."""
        folders, name = self._split(key)
        with self._errors.writing(key):
            try:
                with opened_folder(self._root, folders) as folder, os.fdopen(open_regular(folder, name), "rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    if size == wanted.size and fingerprint_stream(file) == wanted:
                        os.fsync(folder)  # its writer may not have come that far yet
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
            with self._errors.reading(key), opened_folder(self._root, folders) as folder:
                regular_status(folder, name)
                os.unlink(name, dir_fd=folder)
        except ObjectMissing:
            pass
        prune(self._root, folders)


def _info(key: str, stored: Fingerprint, *, skipped: bool = False) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=stored.size,
        sha256=stored.sha256,
        crc32=stored.crc32,
        content_type=content_type_of(key),
        skipped=skipped,
    )
