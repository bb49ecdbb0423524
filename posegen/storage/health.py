"""Health of a store, of any kind: one small object is written, read and deleted, and the clock runs."""

from __future__ import annotations

import secrets
import time

from posegen.storage.keys import health_key
from posegen.storage.protocol import ObjectStore, StoreHealth


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
