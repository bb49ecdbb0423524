"""A small world for one scenario: a database, a store, a rendering service, requests, and workers to be ill-treated."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

import psycopg

from posegen.database.connection import Database
from posegen.database.prepare import prepare_database
from posegen.database.server import DatabaseUrls
from posegen.errors import DatabaseUnusable
from posegen.lifecycle.invariants import Bounds
from posegen.lifecycle.verification import Finding, verify
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.storage.s3 import BucketStore
from tests import builders
from tests.concurrency import until
from tests.embedded_server import cluster_folder
from tests.fault_proxy_http import HttpFaultProxy
from tests.faults.breakages import BREAKAGES, NOBODY_RECONCILES
from tests.faults.disks import PrivateDisk
from tests.faults.evidence import AUDIT, SILENT, Evidence, Loss, Scene, look
from tests.faults.far_end import FarEnd
from tests.faults.nursery import Nursery, Worker
from tests.faults.worker import RULE, Orders, bucket_place
from tests.s3_server import HOST, S3Server
from tests.servers import fresh_database, running_postgres
from tests.tcp_fault_proxy import TcpFaultProxy

LEASE_SECONDS = 2.0
LIBRARY_POSE = builders.A_POSE
SEEDS_PER_GENERATION = 100
PATIENCE = 90.0

# Workers here may lose as many leases and make as many attempts as they like.
BOUNDS = Bounds(most_attempts=RULE.most_attempts, most_lost_leases=RULE.most_lost_leases)


@dataclass(frozen=True)
class Ground:
    """What worlds are built on: a server (its data in `cluster`), a database to copy, the nursery of the workers."""

    urls: DatabaseUrls
    cluster: Path
    template: str
    nursery: Nursery
    folder: Path
    s3: S3Server | None = None

    def address(self) -> tuple[str, int]:
        """Where PostgreSQL listens now."""
        parts = urlsplit(self.urls.application)
        return str(parts.hostname), int(parts.port or 0)


@dataclass
class World:
    """One scenario's world."""

    ground: Ground
    url: str
    database: Database
    folder: Path
    store: ObjectStore
    far_end: FarEnd
    user: UUID
    lease_seconds: float
    patience: float
    breakage: str
    disk: PrivateDisk | None
    bucket: str = ""
    storage: HttpFaultProxy | None = None
    accepted: list[UUID] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    _ends: ExitStack = field(default_factory=ExitStack)

    # --- asking -----------------------------------------------------------------------------------------------

    def submit(self, *, poses: int = 2, formats: Sequence[str] = ("facebook",)) -> UUID:
        """A request that was accepted: the database has said so. A customer whose request was not sends another."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self.database.transaction() as connection:
                    generation = self.insert(connection, poses=poses, formats=formats)
                return self.promised(generation)
            except (psycopg.OperationalError, DatabaseUnusable):
                if time.monotonic() > deadline:
                    raise

    def insert(self, connection: Any, *, poses: int = 2, formats: Sequence[str] = ("facebook",)) -> UUID:
        """A request that is accepted as soon as this transaction is committed."""
        row = connection.execute(
            """
            insert into generation_requests (user_id, poses, variations, formats, seed)
            values (%s, %s, %s, %s, %s) returning id
            """,
            [self.user, [LIBRARY_POSE], poses, list(formats), self.next_seed()],
        ).fetchone()
        return UUID(str(row["id"] if isinstance(row, dict) else row[0]))

    def promised(self, generation: UUID) -> UUID:
        """From now on this one must not be lost."""
        self.accepted.append(generation)
        return generation

    def next_seed(self) -> int:
        """A first seed such that no two poses of this world share one."""
        self._seeds += 1
        return self._seeds * SEEDS_PER_GENERATION

    def coming_seed(self) -> int:
        """What `next_seed` will answer: the seed of the first pose of the next request."""
        return (self._seeds + 1) * SEEDS_PER_GENERATION

    _seeds: int = 0

    # --- processes --------------------------------------------------------------------------------------------

    def sensor(self, name: str = "sensor", **orders: Any) -> Worker:
        """A process that recovers, judges and claims."""
        return self._start(name, "sensor", orders)

    def run(self, name: str, **orders: Any) -> Worker:
        """A process that takes claims and does their work."""
        return self._start(name, "run", orders)

    def proxy(self) -> TcpFaultProxy:
        """A way of its own to the database; hand its `url_through` to a worker."""
        return self._ends.enter_context(TcpFaultProxy(self.ground.address))

    def url_through(self, proxy: TcpFaultProxy) -> str:
        """The database's URL by way of a proxy."""
        parts = urlsplit(self.url)
        login, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))

    def _start(self, name: str, role: str, given: dict[str, Any]) -> Worker:
        orders = Orders(**{
            "name": name,
            "role": role,
            "database": self.url,
            "store": str(self.folder / "store"),
            "bucket": self.bucket,
            "endpoint": "" if self.storage is None else self.storage.url,
            "machine": str(self.folder / "machine"),
            "namespace": 0 if self.disk is None else self.disk.pid,
            "far_end": self.far_end.port,
            "lease_seconds": self.lease_seconds,
            "breakage": self.breakage,
            "ticks": str(self.folder / f"{name}.ticks"),
            **given,
        })  # fmt: skip
        signed = Orders(**{**orders.to_json(), "database": _signed(orders.database, name)})
        worker = self.ground.nursery.start(signed.to_json(), self.folder / f"{name}.log")
        self.workers.append(worker)
        return worker

    # --- waiting and looking ----------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query answers, now or when the server is back."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return builders.rows(self.database, query, *values)
            except (psycopg.OperationalError, DatabaseUnusable):
                if time.monotonic() > deadline:
                    raise

    def value(self, query: str, *values: object) -> Any:
        """The one value that a query answers."""
        ((only,),) = (row.values() for row in self.rows(query, *values))
        return only

    def holder(self, generation: UUID) -> str | None:
        """The worker that has the lease of a generation, or None when nobody has."""
        found = self.rows(
            """
            select l.worker from generations g join faults.leases l on (l.generation_id, l.token) = (g.id, g.token)
            where g.id = %s and g.status = 'running'
            """,
            generation,
        )
        return found[0]["worker"] if found else None

    def held_by(self, worker: str) -> UUID | None:
        """The generation that a worker has the lease of."""
        found = self.rows(
            """
            select g.id from generations g join faults.leases l on (l.generation_id, l.token) = (g.id, g.token)
            where l.worker = %s and g.status = 'running'
            """,
            worker,
        )
        return found[0]["id"] if found else None

    def lost_now(self, generation: UUID) -> None:
        """Somebody is being taken away from this generation: how long until another goes on?"""
        self.losses.append(Loss(time.time(), generation, SILENT))

    def until_at_work(self, generation: UUID, *, by: str | None = None, completed: int = 0) -> None:
        """Wait until a worker (that one) holds it and so many poses are done."""

        def there() -> bool:
            holder = self.holder(generation)
            return holder is not None and by in (None, holder) and self.completed_poses(generation) >= completed

        self.wait(there)

    def generations_of(self, seeds: set[int]) -> set[UUID]:
        """The generations that the poses with these seeds belong to."""
        found = self.rows("select distinct generation_id from generated_poses where seed = any(%s)", list(seeds))
        return {row["generation_id"] for row in found}

    def until_called(self, generation_seed: int, calls: int = 1) -> None:
        """Wait until the service was asked for so many pictures of this generation."""
        span = range(generation_seed, generation_seed + SEEDS_PER_GENERATION)
        self.wait(lambda: sum(call.seed in span for call in self.far_end.calls()) >= calls)

    def all_ended(self) -> bool:
        """Whether every accepted request has come to its end."""
        open_ = "select count(*) from generations where id = any(%s) and finished_at is null"
        present = "select count(*) from generations where id = any(%s)"
        return self.value(open_, self.accepted) == 0 and builders.value(self.database, present, self.accepted) == len(
            self.accepted
        )

    def wait_for_ticks(self, sensor: Worker, passes: int = 3) -> None:
        """Let a sensor look at everything again: so many passes begin and end from now on."""
        ticks = self.folder / f"{sensor.name}.ticks"
        so_far = ticks.stat().st_size if ticks.exists() else 0
        self.wait(lambda: ticks.exists() and ticks.stat().st_size > so_far + passes)

    def settle(self) -> Evidence:
        """Let everything come to its end, or wait for it in vain; then end the workers and look."""
        deadline = time.monotonic() + self.patience
        while not self.all_ended() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.look()

    def look(self) -> Evidence:
        """End the workers and look."""
        for worker in self.workers:
            worker.kill()
        self._until_nobody_is_connected()
        scene = Scene(
            database=self.database,
            store=self.store,
            accepted=self.accepted,
            calls=self.far_end.calls(),
            losses=self.losses,
            reconcile=self.breakage != NOBODY_RECONCILES,
            verify=self._violations,
        )
        return look(scene)

    def violations_meanwhile(self) -> list[str]:
        """What `posegen verify` finds while everybody is at work; the store is left for later."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return sentences(verify(self.database, bounds=BOUNDS))
            except (psycopg.OperationalError, DatabaseUnusable):
                if time.monotonic() > deadline:
                    raise

    def _violations(self) -> list[str]:
        """What `posegen verify` would find: an example for each rule that is broken."""
        return sentences(verify(self.database, [self.store], bounds=BOUNDS, grace=timedelta(0), read_back=None))

    def wait(self, condition: Any, seconds: float = PATIENCE) -> Any:
        """Wait for a condition; the workers' last words when it never comes."""
        try:
            return until(condition, seconds=seconds)
        except AssertionError as never:
            words = "\n".join(f"--- {worker.name}\n{worker.last_words()}" for worker in self.workers)
            raise AssertionError(f"{never}\n{words}") from None

    def status(self, generation: UUID) -> str:
        """The state of a generation."""
        return str(self.value("select status from generations where id = %s", generation))

    def completed_poses(self, generation: UUID) -> int:
        """How many of its poses are done."""
        return int(self.value("select poses_completed from generations where id = %s", generation))

    def _until_nobody_is_connected(self) -> None:
        """A killed client's last statement may still be at work in the server."""
        others = """
            select count(*) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
              and state in ('active', 'idle in transaction')
        """
        self.wait(lambda: self.value(others) == 0)


@contextmanager
def new_ground(folder: Path, s3: S3Server | None = None) -> Iterator[Ground]:
    """A server of its own, the nursery, and a database with schema, lists and store that worlds are copied from."""
    home = folder / "server"
    with running_postgres(home) as urls, fresh_database(urls) as template, Nursery() as nursery:
        with Database(template) as database:
            prepare_database(database, base_urls={"local": "/media", "s3": None})
            with database.transaction() as connection:
                connection.execute(AUDIT)
        yield Ground(urls, cluster_folder(home), urlsplit(template).path.strip("/"), nursery, folder, s3)


@contextmanager
def new_world(
    ground: Ground,
    name: str,
    *,
    lease_seconds: float = LEASE_SECONDS,
    patience: float = PATIENCE,
    breakage: str = "",
    disk_megabytes: int = 0,
    in_bucket: bool = False,
) -> Iterator[World]:
    """A world of its own, whole or broken.

    `patience`: how long its requests may take to end; `disk_megabytes`: its store lies on a small disk of its own;
    `in_bucket`: it is a bucket behind an S3 API instead.
    """
    folder = ground.folder / name.replace(" ", "-").replace("'", "")
    folder.mkdir()
    with ExitStack() as ends:
        url = ends.enter_context(fresh_database(ground.urls, template=ground.template))
        database = ends.enter_context(Database(url))
        if breakage:
            with psycopg.connect(url) as connection:
                for statement in BREAKAGES[breakage].schema:
                    connection.execute(statement)
        disk = bucket = storage = None
        if in_bucket:
            assert ground.s3 is not None, "this ground has no S3 server"
            bucket = ground.s3.new_bucket().bucket
            storage = ends.enter_context(HttpFaultProxy(lambda: (HOST, ground.s3.port)))
        elif disk_megabytes:
            disk = ends.enter_context(PrivateDisk(folder / "store", megabytes=disk_megabytes))
        world = World(
            ground=ground,
            url=url,
            database=database,
            folder=folder,
            store=_store(ground, folder / "store", disk, bucket),
            far_end=ends.enter_context(FarEnd()),
            user=builders.a_user(database, credits=10_000_000, storage_limit=10**13),
            lease_seconds=lease_seconds,
            patience=patience,
            breakage=breakage,
            disk=disk,
            bucket=bucket or "",
            storage=storage,
        )
        ends.enter_context(world._ends)
        try:
            yield world
        finally:
            world.far_end.release()
            for worker in world.workers:
                worker.kill()


def _store(ground: Ground, folder: Path, disk: PrivateDisk | None, bucket: str | None) -> ObjectStore:
    """The world's store as the tests see it: past the proxy, and from outside of the disk's namespace."""
    if bucket is not None and ground.s3 is not None:
        return BucketStore(bucket_place(bucket, ground.s3.endpoint))
    return LocalStore(folder if disk is None else disk.seen_from_outside, base_url="/media")


def sentences(findings: list[Finding]) -> list[str]:
    """An example for each rule that is broken."""
    return [f"{each.name}: {each.violations} times; {each.examples[:1]}" for each in findings if each.violations]


def _signed(url: str, name: str) -> str:
    """The URL, with which the database knows who writes."""
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-c faults.worker={name}')}"
