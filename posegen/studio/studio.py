"""The studio: what pictures are made with. One object that the assets, the command and the tests hand around."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from posegen.backends.protocol import Backend
from posegen.database.connection import Database
from posegen.errors import ObjectCorrupt, ObjectExists
from posegen.lifecycle.outcomes import RetryRule
from posegen.storage.protocol import ObjectInfo, ObjectStore


@dataclass(frozen=True)
class Studio:
    """Database, store and backends, with the few numbers that work depends on.

    `open_backend` answers the backend of a name; `render_threads`: poses at once; `lease_seconds`: how long a worker
    may be silent.
    """

    database: Database
    store: ObjectStore
    open_backend: Callable[[str], Backend]
    render_threads: int = 2
    lease_seconds: float = 60.0
    retry_rule: RetryRule = field(default_factory=RetryRule)

    def put_verified(self, key_for: Callable[[str], str], data: bytes, content_type: str) -> ObjectInfo:
        """Store bytes under the key that their SHA-256 gives, and read them back before they count as stored.

        Raises `ObjectCorrupt` when the store has other bytes than it was given, or another `StorageError`.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            stored = self.store.put(key_for(sha256), data, content_type=content_type)
        except ObjectExists:
            # The key ends in the hash of its content, so other bytes under it are damaged ones.
            stored = self.store.put(key_for(sha256), data, content_type=content_type, create_only=False)
        if (stored.sha256, stored.size) != (sha256, len(data)):
            raise ObjectCorrupt(
                f"The store has {stored.size} bytes with SHA-256 {stored.sha256}, not {len(data)} with {sha256}",
                store=self.store.name,
                key=stored.key,
            )
        self.store.get(stored.key, sha256=sha256)
        return stored
