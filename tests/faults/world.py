"""A small world for one scenario: a database, a store, a rendering service, requests, and workers to be ill-treated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

import psycopg

from posegen.database.connection import Database
from posegen.database.server import DatabaseUrls
from posegen.errors import DatabaseUnusable
from posegen.storage.protocol import ObjectStore
from posegen.studio import POSE_SIDE
from posegen.upkeep.invariants import Bounds
from posegen.upkeep.verification import RuleResult, verify
from tests import builders
from tests.concurrency import until
from tests.fault_proxy_http import HttpFaultProxy
from tests.faults.breakages import NOBODY_RECONCILES
from tests.faults.disks import PrivateDisk
from tests.faults.evidence import SILENT, Evidence, Loss, Scene, look
from tests.faults.far_end import FarEnd
from tests.faults.nursery import Nursery, Worker
from tests.faults.worker import RULE, Orders
from tests.s3_server import S3Server
from tests.tcp_fault_proxy import TcpFaultProxy
from tests.wires.far_end import FarEnd as HostedFarEnd

LEASE_SECONDS = 2.0
CALL_SECONDS = 60.0
"""Enough for any picture: a test that counts calls must not see one repeated because the machine is busy."""
LIBRARY_POSE = builders.A_POSE
SQUARE = ("shopee",)
"""Formats whose exports need no more ground than the picture has: it takes longer to make than all the rest."""
SEEDS_PER_GENERATION = 100
PATIENCE = 300.0

T = TypeVar("T")

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
    call_seconds: float
    patience: float
    breakage: str
    disk: PrivateDisk | None
    backend: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    hosted: Mapping[str, HostedFarEnd] = field(default_factory=dict)
    bucket: str = ""
    storage: HttpFaultProxy | None = None
    accepted: list[UUID] = field(default_factory=list)
    designs: list[UUID] = field(default_factory=list)
    image_requests: list[UUID] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    _ends: ExitStack = field(default_factory=ExitStack)

    # --- asking -----------------------------------------------------------------------------------------------

    def submit(self, *, poses: int = 2, formats: Sequence[str] = SQUARE, backend: str | None = None) -> UUID:
        """A request that was accepted: the database has said so. A customer whose request was not sends another.

        `backend`: a hosted one; left out, the world's own.
        """

        def accepted() -> UUID:
            with self.database.transaction() as connection:
                return self.insert(connection, poses=poses, formats=formats, backend=backend)

        return self.promised(_when_the_server_is_there(accepted))

    def insert(
        self,
        connection: Any,
        *,
        poses: int = 2,
        formats: Sequence[str] = SQUARE,
        backend: str | None = None,
    ) -> UUID:
        """A request that is accepted as soon as this transaction is committed."""
        row = connection.execute(
            """
            insert into generation_requests (user_id, poses, variations, formats, seed, backend)
            values (%s, %s, %s, %s, %s, %s) returning id
            """,
            [self.user, [LIBRARY_POSE], poses, list(formats), self.next_seed(), backend or self.backend],
        ).fetchone()
        return UUID(str(row["id"] if isinstance(row, dict) else row[0]))

    def ask_for_design(self) -> UUID:
        """A design that was accepted."""
        design = _when_the_server_is_there(lambda: builders.a_design(self.database, self.user))
        self.designs.append(design)
        return design

    def ask_for_variants(self) -> UUID | None:
        """An image request of a completed pose that was accepted; None while no pose is completed."""
        image = _when_the_server_is_there(lambda: builders.newest_image(self.database))
        if image is None:
            return None
        asked = _when_the_server_is_there(lambda: builders.an_image_request(self.database, self.user, image))
        self.image_requests.append(asked)
        return asked

    def one_image(self) -> None:
        """Let a worker, who is gone afterwards, complete a pose: image requests are made of its image."""
        first = self.run("first")
        generation = self.submit(poses=1)
        self.wait(lambda: self.status(generation) == "completed")
        first.kill()

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

    def cleaner(self, name: str, **orders: Any) -> Worker:
        """A process that deletes the images of what has ended, and retires it."""
        return self._start(name, "cleaner", orders)

    def settler(self, name: str = "settler", **orders: Any) -> Worker:
        """A process that collects and cancels the calls of hosted backends that no worker holds."""
        return self._start(name, "settler", orders)

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
            "call_seconds": self.call_seconds,
            "breakage": self.breakage,
            "environment": self.environment,
            **({} if self.disk is None else {"side": POSE_SIDE}),  # small pictures would never fill it
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
        return _when_the_server_is_there(lambda: builders.rows(self.database, query, *values))

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

    def all_ended(self) -> bool:
        """Whether every accepted request of every kind has come to its end."""
        open_ = """
            select (select count(*) from generations where id = any(%s) and finished_at is null)
                 + (select count(*) from designs where id = any(%s) and finished_at is null)
                 + (select count(*) from image_variants where id = any(%s) and finished_at is null)
        """
        return bool(self.value(open_, self.accepted, self.designs, self.image_requests) == 0)

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
            designs=self.designs,
            image_requests=self.image_requests,
            calls=self.far_end.calls(),
            losses=self.losses,
            reconcile=self.breakage != NOBODY_RECONCILES,
            verify=self._violations,
            ledgers=[far_end.ledger for far_end in self.hosted.values()],
        )
        return look(scene)

    def violations_meanwhile(self) -> list[str]:
        """What `posegen verify` finds while everybody is at work; the store is left for later."""
        return _when_the_server_is_there(lambda: sentences(verify(self.database, bounds=BOUNDS)))

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


def sentences(findings: list[RuleResult]) -> list[str]:
    """An example for each rule that is broken."""
    return [f"{each.name}: {each.violations} times; {each.examples[:1]}" for each in findings if each.violations]


def _when_the_server_is_there(ask: Callable[[], T]) -> T:
    """An answer of the database, which may be down for a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (psycopg.OperationalError, DatabaseUnusable):
            if time.monotonic() > deadline:
                raise


def _signed(url: str, name: str) -> str:
    """The URL, with which the database knows who writes."""
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-c faults.worker={name}')}"
