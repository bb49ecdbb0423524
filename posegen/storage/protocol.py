"""What every object store can do, and the facts it answers with. The stores themselves live beside this module.

The promises are the ones that a local disk and every S3 API can keep alike; `tests/contracts/test_object_store.py`
holds each store to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from posegen.errors import InvalidKey
from posegen.storage.keys import content_type_of

# Metadata and cache control travel as HTTP headers on S3, of 2 KB in all.
_METADATA_NAME = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)
_HEADER_VALUE = re.compile(r"[ -~]*", re.ASCII)
_METADATA_BYTES = 2048


@dataclass(frozen=True)
class ObjectInfo:
    """Everything about one object. `size`: bytes; `sha256`: 64 hex digits; `crc32`: 0 to 2^32-1."""

    key: str
    size: int
    sha256: str
    crc32: int
    content_type: str


@dataclass(frozen=True)
class ObjectEntry:
    """What a listing knows of an object. `size`: bytes; `modified`: when it was put there, with time zone."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class StoreHealth:
    """A store that wrote, read and deleted an object just now; times in seconds.

    `free_bytes`: space left, or None where the store does not know.
    """

    store: str
    write_seconds: float
    read_seconds: float
    delete_seconds: float
    free_bytes: int | None


class ObjectStore(Protocol):
    """Bytes under keys. Safe to use from several threads and processes at once.

    An object is there whole or not at all, and once `put` has answered it survives a power cut. Every method raises
    `InvalidKey` for a key that `validate_key` refuses, `StoreDenied`, `StoreUnavailable` and `StoreFull`.
    """

    @property
    def name(self) -> str:
        """The store's name in the table `stores`."""

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
        """Stores the bytes, or the rest of the stream in constant memory, and tells what was stored.

        `content_type` has to be the one that the key's suffix stands for. `create_only`: an object with the same bytes
        that is already there is success, with other bytes `ObjectExists`; otherwise the object is replaced at once.
        `cache_control` (by default what `cache_control_of(key)` says) and `metadata` are for foreign readers of a
        store that has its own HTTP server; Posegen never reads them back, and a store without one keeps neither.

        What the stream raises goes through untouched, and nothing is stored then.
        """

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        """The object's bytes; `ObjectMissing`. With `sha256` they are verified: `ObjectCorrupt`."""

    def open(self, key: str) -> BinaryIO:
        """The object as a stream to read and close; it keeps its bytes when the object is replaced or deleted."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """The bytes from `start` on, at most `length`: fewer at the end of the object, none behind it."""

    def head(self, key: str) -> ObjectInfo:
        """The facts of the object that is there; `ObjectMissing`. May read all of it: ask `exists` if that will do."""

    def exists(self, key: str) -> bool:
        """Whether the object is there, without reading it."""

    def delete(self, *keys: str) -> int:
        """Makes the objects be gone; one that was not there is no error, since S3 does not say either.

        Returns the number of different keys. Nothing is deleted when one of them is invalid.
        """

    def delete_prefix(self, prefix: str) -> int:
        """Deletes everything below a prefix such as `poses/{generation}/`; returns how many objects it found.

        An empty prefix is `InvalidKey`: nothing empties a whole store by mistake.
        """

    def list(self, prefix: str = "") -> Iterator[ObjectEntry]:
        """The objects below a prefix (empty, or with a slash at the end), lazily, in the order of their keys."""

    def public_url(self, key: str) -> str:
        """Where a browser finds the object, whether it is there or not."""

    def copy(self, source: str, target: str) -> ObjectInfo:
        """Puts a create-only copy under another key with the same suffix; `ObjectMissing`, `ObjectExists`."""

    def health(self) -> StoreHealth:
        """Writes, reads and deletes a small object; raises the error that an operator has to look at."""


def check_attributes(
    key: str, *, store: str, content_type: str, cache_control: str | None, metadata: Mapping[str, str] | None
) -> None:
    """Refuses in every store what one of them would refuse, so that a laptop finds it before a bucket does.

    Raises `InvalidKey` when suffix and content type do not agree, `ValueError` for a header that S3 cannot send.
    """
    expected = content_type_of(key)
    if content_type != expected:
        raise InvalidKey(
            f"This key's suffix stands for {expected}, not for {content_type}; change one of them.",
            store=store,
            key=key,
        )
    if cache_control is not None and not _HEADER_VALUE.fullmatch(cache_control):
        raise ValueError(f"cache_control {cache_control!r} is not printable ASCII.")
    for name, value in (metadata or {}).items():
        if not _METADATA_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"Metadata {name!r} = {value!r}: names are a-z, 0-9 and '-'; values are printable ASCII.")
    if sum(len(name) + len(value) for name, value in (metadata or {}).items()) > _METADATA_BYTES:
        raise ValueError(f"Metadata of more than {_METADATA_BYTES} bytes cannot be sent to S3.")
