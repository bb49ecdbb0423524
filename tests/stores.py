"""The object stores that the contract suites run on, and the few steps that their tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectInfo, ObjectStore

KEY = "poses/g1/p1-0123456789ab.png"
OTHER_KEY = "poses/g1/p2-0123456789ab.png"
PNG = "image/png"

STORES: dict[str, Callable[[Path], ObjectStore]] = {
    "local": lambda folder: LocalStore(folder / "store", base_url="https://pictures.example/media"),
}
"""How each store is opened by a test that has a folder for itself."""


def put(
    store: ObjectStore, key: str = KEY, data: bytes | BinaryIO = b"picture", *, create_only: bool = True
) -> ObjectInfo:
    """Puts a picture under a key that ends in `.png`."""
    return store.put(key, data, content_type=PNG, create_only=create_only)


def keys_in(store: ObjectStore, prefix: str = "") -> list[str]:
    """The keys of a listing, in its order."""
    return [entry.key for entry in store.list(prefix)]
