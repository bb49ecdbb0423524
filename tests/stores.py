"""The object stores that the contract suites run on, and the few steps that their tests share."""

from __future__ import annotations

from typing import BinaryIO

from posegen.storage.protocol import ObjectInfo, ObjectStore

KEY = "poses/g1/p1-0123456789ab.png"
OTHER_KEY = "poses/g1/p2-0123456789ab.png"
PNG = "image/png"

STORES = ("local", "s3")
"""The kinds of stores that every contract test runs on; how they are opened is in `contracts/conftest.py`."""
PUBLIC_URL = "https://pictures.example/media"
SIGNING_SECRET = b"canary-of-the-signing-secret"


def put(
    store: ObjectStore, key: str = KEY, data: bytes | BinaryIO = b"picture", *, create_only: bool = True
) -> ObjectInfo:
    """Puts a picture under a key that ends in `.png`."""
    return store.put(key, data, content_type=PNG, create_only=create_only)


def keys_in(store: ObjectStore, prefix: str = "") -> list[str]:
    """The keys of a listing, in its order."""
    return [entry.key for entry in store.list(prefix)]


def empty(store: ObjectStore) -> None:
    """Deletes everything that is in a store."""
    store.delete(*keys_in(store))
