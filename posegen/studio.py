"""The studio: database, stores, backends and the numbers of the work, as one object that every home is given."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from posegen.accounts import quota
from posegen.backends.breaker import BackendRule
from posegen.backends.description import Description
from posegen.backends.hosted import HostedBackend
from posegen.backends.protocol import Backend
from posegen.backends.registry import Backends, open_backend
from posegen.database.connection import Connection, Database
from posegen.errors import BackendNotConfigured, ObjectCorrupt, ObjectExists, StoreUnknown
from posegen.fetching.fetcher import Fetcher
from posegen.images.thumbnail_sizes import STANDARD, ThumbnailSize, thumbnail_sizes
from posegen.objects import rows as objects
from posegen.objects import stores as store_rows
from posegen.objects.identity import require_own
from posegen.settings import Settings
from posegen.storage.hashing import fingerprint
from posegen.storage.keys import is_public
from posegen.storage.protocol import LONGEST_SIGNED_SECONDS, ObjectInfo, ObjectStore
from posegen.storage.stores import Stores
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome

POSE_SIDE = 1024
"""`Studio.pose_side` of every studio."""


def _not_configured(name: str) -> HostedBackend:
    raise BackendNotConfigured(name, "")


@dataclass(frozen=True)
class Studio:
    """Database, store and backends, with the few numbers that work depends on.

    Attributes:
        database: where rows are.
        store: takes what is new.
        open_backend: returns the drawing backend of a name.
        open_hosted: returns the hosted backend of a name.
        describe: returns what a backend is, None for one that draws; raises `BackendNotConfigured`.
        hosted: the hosted backends that can be used; None for any.
        open_store: returns another store that rows name, or raises `StoreUnknown`.
        render_threads: poses at once.
        lease_seconds: how long a worker may be silent.
        retry_rule: how often work is tried.
        backend_rule: how backends are called.
        quality_retries: pictures with another seed after one that did not pass.
        paid_retries: the same for a hosted backend, which bills each.
        control_missing: what follows when a control map cannot be read: `fail`, or `drop` to leave it out.
        fetcher: reads the URLs of customers.
        worker_home: where its runs prove that they live.
        thumbnails: of each pose, the first one is that of its row.
    """

    database: Database
    store: ObjectStore
    open_backend: Callable[[str], Backend]
    open_hosted: Callable[[str], HostedBackend] = _not_configured
    describe: Callable[[str], Description | None] = lambda _: None
    hosted: Collection[str] | None = None
    open_store: Callable[[str], ObjectStore] | None = None
    render_threads: int = 2
    lease_seconds: float = 60.0
    retry_rule: RetryRule = field(default_factory=RetryRule)
    backend_rule: BackendRule = field(default_factory=BackendRule)
    quality_retries: int = 2
    paid_retries: int = 1
    control_missing: Literal["fail", "drop"] = "fail"
    fetcher: Fetcher = field(default_factory=Fetcher)
    worker_home: WorkerHome | None = None
    thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,)

    @classmethod
    def of(cls, settings: Settings, database: Database, stores: Stores, backends: Backends) -> Studio:
        """The studio that the settings describe.

        Args:
            settings: of this process.
            database: where rows are.
            stores: of these settings.
            backends: of these settings; they are closed by the caller.

        Raises:
            StoreMistaken: the current store is not the one that this database has been writing to.
        """
        require_own(database, stores.current)
        return cls(
            database=database,
            store=stores.current,
            open_store=stores.named,
            open_backend=open_backend,
            open_hosted=backends.open_hosted,
            describe=backends.describe,
            hosted=backends.hosted,
            render_threads=settings.posegen_render_threads,
            lease_seconds=settings.posegen_lease_seconds,
            retry_rule=RetryRule.of(settings),
            backend_rule=BackendRule.of(settings),
            quality_retries=settings.posegen_quality_retries,
            paid_retries=settings.posegen_paid_retries,
            control_missing=settings.posegen_control_missing,
            fetcher=Fetcher.of(settings),
            worker_home=WorkerHome(settings.workers_path),
            thumbnails=thumbnail_sizes(settings.posegen_thumbnails),
        )

    @property
    def pose_side(self) -> int:
        """Width and height of the image of a pose, in pixels."""
        return POSE_SIDE

    def hold_lock(self, run_id: str) -> UUID | None:
        """Hold this run's file lock to the end of the process; returns the id of its folder, None without one."""
        return None if self.worker_home is None else self.worker_home.hold(run_id)

    def store_named(self, name: str) -> ObjectStore:
        """The store that a row names: it may lie elsewhere than what is new. Raises `StoreUnknown`."""
        if name == self.store.name:
            return self.store
        if self.open_store is None:
            raise StoreUnknown(name, [self.store.name])
        return self.open_store(name)

    def stores_in_use(self) -> list[ObjectStore]:
        """The store of what is new, and every other one that rows still need. Raises `StoreUnknown`."""
        with self.database.transaction() as connection:
            needed = store_rows.needed(connection)
        return [self.store, *(self.store_named(name) for name in needed if name != self.store.name)]

    def read(self, store: str, key: str, sha256: str) -> bytes:
        """The bytes of a row's object, from the row's store, checked against its hash. Raises `StorageError`."""
        return self.store_named(store).get(key, sha256=sha256)

    def url_to_look_at(self, key: str) -> str:
        """Where people see an object of `store`: its public URL, or in a private store one signed for a week."""
        public = self.store.public_url(key) if is_public(key) else None
        return public or self.store.signed_get_url(key, seconds=LONGEST_SIGNED_SECONDS)

    def put_verified(self, key_for: Callable[[str], str], data: bytes, content_type: str) -> ObjectInfo:
        """Store bytes under the key that their SHA-256 gives, and read them back before they count as stored.

        Raises `ObjectCorrupt` when the store has other bytes than it was given, or another `StorageError`.
        """
        known = fingerprint(data)
        sha256 = known.sha256
        reached(CommitPoint.BEFORE_UPLOAD)
        try:
            stored = self.store.put(key_for(sha256), data, content_type=content_type, known=known)
        except ObjectExists:
            # The key ends in the hash of its content, so other bytes under it are damaged ones.
            stored = self.store.put(key_for(sha256), data, content_type=content_type, known=known, create_only=False)
        reached(CommitPoint.AFTER_UPLOAD)
        if (stored.sha256, stored.size) != (sha256, len(data)):
            raise ObjectCorrupt(
                f"The store has {stored.size} bytes with SHA-256 {stored.sha256}, not {len(data)} with {sha256}",
                store=self.store.name,
                key=stored.key,
            )
        reached(CommitPoint.BEFORE_VERIFY)
        self.store.get(stored.key, sha256=sha256)
        reached(CommitPoint.AFTER_VERIFY)
        return stored


def register_charged(
    connection: Connection, store: str, stored: ObjectInfo, *, user_id: UUID, generation_id: UUID | None = None
) -> int:
    """The row of a stored object that counts against a user's space; one that is there already counts once.

    Args:
        connection: the transaction that records what the object is for.
        store: the name of its store.
        stored: the object.
        user_id: whose space it takes.
        generation_id: the generation that it belongs to, if it does.

    Returns:
        The id of the row.

    Raises:
        RequestRefused: the user has no space left (quota_exceeded).
        ObjectExists: the key is registered with other bytes.
        StoreUnavailable: the object was deleted meanwhile; it has to be put again.
    """
    owner = None if generation_id else user_id
    object_id, is_new = objects.register(connection, store, stored, generation_id=generation_id, user_id=owner)
    if is_new:
        quota.use(connection, user_id, stored.size)
    return object_id
