"""Health of stores, of any kind: one small object is written, read and deleted, and the clock runs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from posegen.errors import StorageError
from posegen.storage.keys import health_key
from posegen.storage.protocol import ObjectStore, StoreHealth


@dataclass(frozen=True)
class StoreState:
    """What an examination of a store found, in seconds and bytes. `error`: why it failed; the numbers are None then."""

    store: str
    good: bool
    write_seconds: float | None
    read_seconds: float | None
    delete_seconds: float | None
    free_bytes: int | None
    error: str | None


def state_of(open_store: Callable[[str], ObjectStore], name: str) -> StoreState:
    """Examine a store. `open_store`: returns the store of a name, or raises `StoreUnknown`."""
    try:
        health = open_store(name).health()
    except StorageError as broken:
        return StoreState(name, False, None, None, None, None, str(broken))
    return StoreState(**vars(health), good=True, error=None)


def measured_health(store: ObjectStore, *, free_bytes: int | None = None) -> StoreHealth:
    """What a small object takes. Raises the error that the first of the three steps met."""
    key, data = health_key(secrets.token_hex(8)), secrets.token_bytes(1024)
    started = time.perf_counter()
    stored = store.put(key, data, content_type="text/plain")
    written = time.perf_counter()
    store.get(key, sha256=stored.sha256)
    read = time.perf_counter()
    store.delete(key)
    deleted = time.perf_counter()
    return StoreHealth(
        store=store.name,
        write_seconds=written - started,
        read_seconds=read - written,
        delete_seconds=deleted - read,
        free_bytes=free_bytes,
    )
