"""What every object store can do, and the facts it returns. The stores themselves live beside this module.

The promises are the ones that a local disk and every S3 API can keep alike; `tests/contracts/test_object_store.py`
holds each store to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from posegen.errors import InvalidKey
from posegen.storage.hashing import Fingerprint
from posegen.storage.keys import content_type_of
from posegen.storage.traffic import Traffic

SIGNED_SECONDS = 3600
"""How long a signed URL lives unless its caller says otherwise."""
LONGEST_SIGNED_SECONDS = 7 * 24 * 3600
"""S3 signs nothing for longer, so no store does."""


@dataclass(frozen=True)
class ObjectInfo:
    """Everything about one object. `size`: bytes; `sha256`: 64 hex digits; `crc32`: 0 to 2^32-1.

    `skipped`: these very bytes were there already, so that a put stored nothing. It is no fact about the object: two
    results that differ in it alone are equal.
    """

    key: str
    size: int
    sha256: str
    crc32: int
    content_type: str
    skipped: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class ObjectEntry:
    """What a listing knows of an object. `size`: bytes; `modified`: when it was put there, with time zone."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Unfinished:
    """What a writer that was killed left behind: a hidden file, or a multipart upload. Never visible as an object.

    `reference`: what the store knows it by; `key`: of the object that it should have become, where that is known;
    `size`: bytes, or None where the store does not say; `started`: with time zone.
    """

    reference: str
    key: str | None
    size: int | None
    started: datetime


@dataclass(frozen=True)
class SignedPut:
    """An upload that a client may make once it has this: `PUT url` with exactly these headers and as many bytes."""

    url: str
    headers: Mapping[str, str]


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
        known: Fingerprint | None = None,
    ) -> ObjectInfo:
        """Stores the bytes, or the rest of the stream in constant memory, and tells what was stored.

        `content_type` has to be the one that the key's suffix stands for. `create_only`: an object with the same bytes
        that is already there is success (`skipped`), with other bytes `ObjectExists`; otherwise the object is replaced
        at once.

        `known`: the fingerprint that the data has. Bytes are taken to have it, so that a caller that has hashed them
        need not wait for it twice; a stream is hashed on its way, and when it turns out to have another one, nothing
        is stored: `ObjectCorrupt`.

        What the stream raises goes through untouched, and nothing is stored then.
        """

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        """The object's bytes; `ObjectMissing`. With `sha256` they are verified: `ObjectCorrupt`."""

    def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """The object as a stream to read and close, in constant memory; `ObjectMissing`.

        It gives the bytes of one object or an error, also when the object is replaced or deleted meanwhile. With
        `sha256` they are verified on their way: the read that would reach the end raises `ObjectCorrupt` instead.
        """

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

    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[ObjectEntry]:
        """The objects below a prefix (empty, or with a slash at the end), lazily and page by page.

        They come in an order that is the store's own and always the same; in most stores it is that of the keys.
        `start_after`: a key, which need not be there any more: only what comes behind it in that order. An object that
        is there all the while is listed exactly once, whatever is put or deleted meanwhile.
        """

    def public_url(self, key: str) -> str | None:
        """Where a browser finds the object, whether it is there or not; None when the store is not public."""

    def signed_get_url(self, key: str, *, seconds: int = SIGNED_SECONDS) -> str:
        """A URL that reads the object without further rights for so long: 1 second to 7 days, else `ValueError`."""

    def signed_put_url(self, key: str, *, content_type: str, size: int, seconds: int = SIGNED_SECONDS) -> SignedPut:
        """An upload of just this content type and number of bytes, for so long; it creates and never replaces.

        Uploaded bytes are untrusted: the caller checks the object before it counts.
        """

    def copy(self, source: str, target: str) -> ObjectInfo:
        """Puts a create-only copy under another key with the same suffix; `ObjectMissing`, `ObjectExists`."""

    def list_unfinished(self) -> Iterator[Unfinished]:
        """What killed writers left, and what living ones are about to finish: look at `started`. Lazily."""

    def delete_unfinished(self, unfinished: Unfinished) -> None:
        """Takes away what a killed writer left; that it is gone already is no error."""

    def health(self) -> StoreHealth:
        """Writes, reads and deletes a small object; raises the error that an operator has to look at."""

    def traffic(self) -> Traffic:
        """What this object was asked for since it was opened. Listings and signed URLs do not count."""


def check_content_type(key: str, *, store: str, content_type: str) -> None:
    """Raises `InvalidKey` when the suffix of a key and its content type do not agree."""
    expected = content_type_of(key)
    if content_type != expected:
        raise InvalidKey(
            f"This key's suffix stands for {expected}, not for {content_type}; change one of them.",
            store=store,
            key=key,
        )


def check_lifetime(seconds: int) -> None:
    """Refuses what one of the stores could not sign. Raises `ValueError`."""
    if not 1 <= seconds <= LONGEST_SIGNED_SECONDS:
        raise ValueError(f"A signed URL lives 1 to {LONGEST_SIGNED_SECONDS} seconds, not {seconds}.")


def check_upload(key: str, *, store: str, content_type: str, size: int) -> None:
    """Refuses an upload by a client that could not become an object. Raises `InvalidKey`, `ValueError`."""
    check_content_type(key, store=store, content_type=content_type)
    if size < 1:
        raise ValueError(f"An upload has 1 byte or more, not {size}.")


def upload_headers(content_type: str, size: int) -> dict[str, str]:
    """What the client of a signed upload sends. The last one makes it create and never replace."""
    return {"Content-Type": content_type, "Content-Length": str(size), "If-None-Match": "*"}
