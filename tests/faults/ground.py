"""What worlds are built on, and how one is built: of copies, so that each takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from posegen.database.connection import Database
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.storage.s3 import BucketStore
from posegen.upkeep.preparing import prepare_database
from tests import builders
from tests.embedded_server import cluster_folder
from tests.fault_proxy_http import HttpFaultProxy
from tests.faults.breakages import BREAKAGES
from tests.faults.disks import PrivateDisk
from tests.faults.far_end import FarEnd
from tests.faults.nursery import Nursery
from tests.faults.promises import AUDIT
from tests.faults.worker import bucket_place
from tests.faults.world import CALL_SECONDS, LEASE_SECONDS, PATIENCE, Ground, World
from tests.s3_server import HOST, S3Server
from tests.servers import fresh_database, running_postgres
from tests.wires.far_end import FarEnd as HostedFarEnd


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
    call_seconds: float = CALL_SECONDS,
    patience: float = PATIENCE,
    breakage: str = "",
    disk_megabytes: int = 0,
    in_bucket: bool = False,
    backend: str | None = None,
    environment: Mapping[str, str] | None = None,
    hosted: Mapping[str, HostedFarEnd] | None = None,
) -> Iterator[World]:
    """A world of its own, whole or broken.

    `call_seconds`: how long its workers wait for a picture; `patience`: how long its requests may take to end;
    `disk_megabytes`: its store lies on a small disk of its own; `in_bucket`: it is a bucket behind an S3 API instead.
    `backend`: the hosted one that is asked for; `environment`: where its far end is. `hosted`: far ends of hosted
    backends by their names, whose variables its workers get, too.
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
            call_seconds=call_seconds,
            patience=patience,
            breakage=breakage,
            disk=disk,
            backend=backend,
            environment={
                **(environment or {}),
                **{name: each for far_end in (hosted or {}).values() for name, each in far_end.environment().items()},
            },
            hosted=hosted or {},
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
