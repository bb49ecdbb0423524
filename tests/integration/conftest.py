"""What integration tests share: small pictures, warm decoders, an instance of Dagster, stores that rows may name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import dagster as dg
import pytest

from posegen import studio
from posegen.database.connection import Database
from posegen.generations.calling import replaying
from posegen.generations.making import pictures
from posegen.images.decoding.pool import DecoderPool
from posegen.objects import rows as objects
from posegen.objects import stores
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectInfo, ObjectStore
from posegen.storage.s3 import BucketStore
from tests.s3_server import S3Server

Stored = Callable[..., ObjectInfo]
SMALL_SIDE = 256


@pytest.fixture(autouse=True)
def _small_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let images of poses have a sixteenth of their pixels: drawing and encoding them takes most of a test's time.

    A test that depends on the true size is marked `full_size`.
    """
    if request.node.get_closest_marker("full_size") is None:
        monkeypatch.setattr(studio, "POSE_SIDE", SMALL_SIDE)


@pytest.fixture(scope="session")
def _kept_decoders() -> Iterator[DecoderPool]:
    with DecoderPool(2) as decoders:
        yield decoders


@pytest.fixture(autouse=True)
def _shared_decoders(_kept_decoders: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all generations and replays use the same decoder processes; starting one takes 150 ms of CPU."""
    for user in (pictures, replaying):
        monkeypatch.setattr(user, "DecoderPool", lambda _: nullcontext(_kept_decoders))


@pytest.fixture(scope="session")
def _kept_instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def instance(_kept_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance of Dagster without any run, event or partition; a new one would create its tables, for 90 ms."""
    _kept_instance.wipe()
    return _kept_instance


@pytest.fixture
def bucket(database: Database, s3_server: S3Server) -> BucketStore:
    """A bucket of the test's own, which the database knows."""
    with database.transaction() as connection:
        stores.register(connection, {"s3": None})
    return BucketStore(s3_server.new_bucket())


@pytest.fixture
def stored(database: Database, store: LocalStore) -> Stored:
    """Puts so many bytes into a store and registers them; `generation` may be None."""

    def put(
        data: bytes = b"picture", *, generation=None, into: ObjectStore = store, folder: str = "poses"
    ) -> ObjectInfo:
        sha256 = hashlib.sha256(data).hexdigest()
        put_object = into.put(f"{folder}/g/p-{sha256[:12]}.png", data, content_type="image/png")
        with database.transaction() as connection:
            objects.register(connection, into.name, put_object, generation_id=generation)
        return put_object

    return put
