"""The store in a bucket behind an S3 API: Cloudflare R2, AWS, MinIO, SeaweedFS and others, through obstore.

Every request has a time limit and is repeated (`s3_attempts.py`) for as long as the operation may take. SHA-256 and
CRC-32 of an object are metadata of it. How a bucket is set up is `bucket.py`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import partial
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from posegen.errors import ObjectExists, ObjectMissing, StoreUnavailable
from posegen.storage.configuration import BucketConfig
from posegen.storage.hashing import Fingerprint, fingerprint, fingerprint_stream
from posegen.storage.health import measured_health
from posegen.storage.keys import cache_control_of, content_type_of, is_key, validate_key, validate_prefix
from posegen.storage.presigning import presigned_put
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
from posegen.storage.s3_requests import PAGE, PIECE_BYTES, Opened, requests_to
from posegen.storage.spooling import spooled
from posegen.storage.streams import check_bytes, reader_of, verified
from posegen.storage.traffic import Operation, Traffic, TrafficMeter

if TYPE_CHECKING:
    from posegen.storage.bucket import BucketAdministration

ONE_PUT_BYTES = 64 * 1024 * 1024
"""Up to here an object is created by one request, which the server itself refuses when the key is taken."""
_CREATE_RACES = 20
_FURTHEST = 2**62
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CRC32 = re.compile(r"[0-9]{1,10}", re.ASCII)


class BucketStore:
    """An `ObjectStore` in a bucket, which has to be there already.

    `spool_folder`: where streams wait until they are sent; the system's folder for such files by default.
    """

    def __init__(self, config: BucketConfig, *, spool_folder: Path | None = None) -> None:
        self._config = config
        self._spool_folder = spool_folder
        self._meter = TrafficMeter()
        self._requests = requests_to(config)

    @property
    def name(self) -> str:
        """The store's name in the table `stores`."""
        return self._config.name

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        content_type: str,
        create_only: bool = True,
        known: Fingerprint | None = None,
    ) -> ObjectInfo:
        """See `ObjectStore.put`. A stream is spooled to disk first, since its length and hash go ahead of it."""
        validate_key(key, store=self.name)
        check_content_type(key, store=self.name, content_type=content_type)
        send = partial(self._send, key, create_only=create_only)
        if isinstance(data, bytes):
            return send(data, known or fingerprint(data))
        with spooled(data, folder=self._spool_folder, store=self.name, key=key) as spool:
            found = spool.fingerprint
            if known is not None:
                check_bytes(found.size, found.sha256, size=known.size, sha256=known.sha256, store=self.name, key=key)
            return send(spool.data, found)

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        """See `ObjectStore.get`. Without `sha256` the bytes are held against the hash in the object's metadata."""
        validate_key(key, store=self.name)
        with self._meter.measuring(Operation.READ) as read:
            opened = self._requests.open(key, sha256)
            data = b"".join(self._pieces(key, opened)) if opened.body is None else opened.body
            read.bytes = opened.size
        return data

    def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """See `ObjectStore.open`. Reads pieces of `PIECE_BYTES`, each by a request of its own for the same version."""
        validate_key(key, store=self.name)
        with self._meter.measuring(Operation.READ) as read:
            opened = self._requests.open(key, sha256)
            read.bytes = opened.size
        if opened.body is not None:
            return io.BytesIO(opened.body)
        return reader_of(self._meter.watching(self._pieces(key, opened)))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `ObjectStore.get_range`."""
        if start < 0 or length < 0:
            raise ValueError(f"A range needs start and length of 0 or more, not {start} and {length}.")
        validate_key(key, store=self.name)
        first = min(start, _FURTHEST)
        # Nothing is no range in HTTP: one byte tells whether the object is there at all.
        with self._meter.measuring(Operation.READ) as read:
            data = self._requests.piece(key, first, first + min(max(length, 1), _FURTHEST))
            read.bytes = len(data)
        return data[:length]

    def head(self, key: str) -> ObjectInfo:
        """See `ObjectStore.head`. Reads the object only when its writer noted no hashes."""
        validate_key(key, store=self.name)
        with self._meter.measuring(Operation.READ):
            size, attributes = self._requests.look(key)
        sha256, crc32 = attributes.get("sha256", ""), attributes.get("crc32", "")
        if _SHA256.fullmatch(sha256) and _CRC32.fullmatch(crc32):
            return _info(key, Fingerprint(size, sha256, int(crc32)))
        with self.open(key) as stream:
            return _info(key, fingerprint_stream(stream))

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        validate_key(key, store=self.name)
        try:
            with self._meter.measuring(Operation.READ):
                self._requests.look(key)
        except ObjectMissing:
            return False
        return True

    def delete(self, *keys: str) -> int:
        """See `ObjectStore.delete`. By one request for 1,000 objects."""
        names = list(dict.fromkeys(validate_key(key, store=self.name) for key in keys))
        for place in range(0, len(names), PAGE):
            with self._meter.measuring(Operation.DELETE) as deletion:
                page = names[place : place + PAGE]
                self._requests.delete(page)
                deletion.objects = len(page)
        return len(names)

    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[ObjectEntry]:
        """See `ObjectStore.list`. In pages of 1,000; what is no key of ours is left out."""
        validate_prefix(prefix, store=self.name)
        if start_after is not None:
            validate_key(start_after, store=self.name)
        return (
            ObjectEntry(meta["path"], meta["size"], meta["last_modified"])
            for page in self._requests.pages(prefix, start_after)
            for meta in page
            if is_key(meta["path"])
        )

    def public_url(self, key: str) -> str | None:
        """See `ObjectStore.public_url`."""
        validate_key(key, store=self.name)
        base = self._config.public_url
        return None if base is None else f"{base.rstrip('/')}/{quote(key)}"

    def signed_get_url(self, key: str, *, seconds: int = SIGNED_SECONDS) -> str:
        """See `ObjectStore.signed_get_url`. Signed here; nothing is sent."""
        check_lifetime(seconds)
        return self._requests.signed_get_url(validate_key(key, store=self.name), seconds)

    def signed_put_url(self, key: str, *, content_type: str, size: int, seconds: int = SIGNED_SECONDS) -> SignedPut:
        """See `ObjectStore.signed_put_url`. Signed here; nothing is sent."""
        check_lifetime(seconds)
        check_upload(validate_key(key, store=self.name), store=self.name, content_type=content_type, size=size)
        headers = upload_headers(content_type, size)
        url = f"{self._config.endpoint}/{self._config.bucket}/{quote(key)}"
        signed = presigned_put(url, headers, self._requests.credentials(), region=self._config.region, seconds=seconds)
        return SignedPut(signed, headers)

    def copy(self, source: str, target: str) -> ObjectInfo:
        """See `ObjectStore.copy`. Through this machine: of the S3 APIs only some copy without replacing."""
        validate_key(target, store=self.name)
        with self.open(source) as stream:
            return self.put(target, stream, content_type=content_type_of(source))

    def list_unfinished(self) -> Iterator[Unfinished]:
        """See `ObjectStore.list_unfinished`. Multipart uploads that were neither completed nor aborted."""
        return self._administration().list_unfinished()

    def delete_unfinished(self, unfinished: Unfinished) -> None:
        """See `ObjectStore.delete_unfinished`."""
        self._administration().delete_unfinished(unfinished)

    def health(self) -> StoreHealth:
        """See `ObjectStore.health`."""
        return measured_health(self)

    def traffic(self) -> Traffic:
        """See `ObjectStore.traffic`."""
        return self._meter.traffic()

    def _send(self, key: str, data: bytes | mmap, stored: Fingerprint, *, create_only: bool) -> ObjectInfo:
        attributes = {
            "Content-Type": content_type_of(key),
            "Cache-Control": cache_control_of(key, public_store=self._config.public_url is not None),
            "sha256": stored.sha256,
            "crc32": str(stored.crc32),
        }
        with self._meter.measuring(Operation.WRITE) as put:
            if stored.size > ONE_PUT_BYTES:
                skipped = self._put_in_parts(key, data, stored, attributes, create_only=create_only)
            elif create_only:
                skipped = self._create(key, data, stored, attributes)
            else:
                self._requests.replace(key, data, attributes)
                skipped = False
            put.bytes = stored.size
            put.operation = Operation.SKIPPED if skipped else Operation.WRITE
        return _info(key, stored, skipped=skipped)

    def _create(self, key: str, data: bytes | mmap, stored: Fingerprint, attributes: Mapping[str, str]) -> bool:
        """Whether the same bytes were there before. What is there may also be ours: the answer was lost."""
        for turn in range(_CREATE_RACES):
            taken = self._requests.create(key, data, attributes)
            if taken is None:
                return False
            # Nothing there: it was deleted meanwhile, or the server returned 409 for a race without a winner.
            if self._holds(key, stored):
                return taken.first_attempt and turn == 0
        raise StoreUnavailable("The object is created and deleted again and again.", store=self.name, key=key)

    def _put_in_parts(
        self, key: str, data: bytes | mmap, stored: Fingerprint, attributes: Mapping[str, str], *, create_only: bool
    ) -> bool:
        """Whether the same bytes were there before. Parts cannot be put create-only everywhere: look, put, look."""
        if create_only and self._holds(key, stored):
            return True
        self._requests.replace_in_parts(key, data, attributes)
        if not self._holds(key, stored):
            raise StoreUnavailable("The object is gone right after it was put.", store=self.name, key=key)
        return False

    def _holds(self, key: str, wanted: Fingerprint) -> bool:
        """Whether the object is there with these bytes; `ObjectExists` when it has others."""
        try:
            found = self.head(key)
        except ObjectMissing:
            return False
        if (found.size, found.sha256) == (wanted.size, wanted.sha256):
            return True
        raise ObjectExists(
            f"Another object of {found.size} bytes is there already, and this put of {wanted.size} bytes "
            f"(SHA-256 {wanted.sha256}) may only create.",
            store=self.name,
            key=key,
        )

    def _pieces(self, key: str, opened: Opened) -> Iterator[bytes]:
        pieces = (
            self._requests.piece(key, start, min(start + PIECE_BYTES, opened.size), etag=opened.etag)
            for start in range(0, opened.size, PIECE_BYTES)
        )
        return verified(pieces, sha256=opened.sha256, size=opened.size, store=self.name, key=key)

    def _administration(self) -> BucketAdministration:
        from posegen.storage.bucket import BucketAdministration  # boto3 takes longer than all the rest

        return BucketAdministration(self._config, self._requests.credentials)


def _info(key: str, stored: Fingerprint, *, skipped: bool = False) -> ObjectInfo:
    return ObjectInfo(key, stored.size, stored.sha256, stored.crc32, content_type_of(key), skipped=skipped)
