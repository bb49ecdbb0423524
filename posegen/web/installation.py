"""The installation that an API process serves: its settings, database, stores and backends, opened once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated

import psycopg
from fastapi import Depends
from starlette.requests import HTTPConnection

from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.errors import PosegenError
from posegen.generations.asking.quoting import CatalogueCache
from posegen.generations.reading.signing import SignedUrls
from posegen.images.decoding.pool import DecoderPool
from posegen.settings import Settings
from posegen.storage.stores import Stores
from posegen.studio import Studio
from posegen.web.heavy_work import HeavyWork
from posegen.web.request_metrics import RequestMetrics


@dataclass(frozen=True)
class Installation:
    """What routes work with.

    Attributes:
        settings: of this process.
        database: with as many connections as requests are served at once.
        stores: where pictures are.
        backends: that requests may name.
        url: what absolute URLs of this API begin with, without a slash at its end.
        catalogue: what requests are judged by.
        decoders: processes for pictures from outside.
        heavy_work: threads for what takes long.
        metrics: of the requests.
        now: returns the time, with its zone.
    """

    settings: Settings
    database: Database
    stores: Stores
    backends: Backends
    url: str
    catalogue: CatalogueCache
    decoders: DecoderPool = field(default_factory=DecoderPool)
    heavy_work: HeavyWork = field(default_factory=HeavyWork)
    metrics: RequestMetrics = field(default_factory=RequestMetrics)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def is_https(self) -> bool:
        """Whether clients reach this API over TLS, so that cookies may be restricted to it."""
        return self.url.startswith("https://")

    def absolute(self, url: str | None) -> str | None:
        """A URL of an object as clients of other origins need it: those of the local store begin with a path."""
        return f"{self.url}{url}" if url is not None and url.startswith("/") else url

    @cached_property
    def studio(self) -> Studio:
        """What uploads and files are made with. Raises `StoreMistaken`."""
        return Studio.of(self.settings, self.database, self.stores, self.backends)

    @cached_property
    def signed_urls(self) -> SignedUrls:
        """Signs files that have no public URL. Raises `StoreMistaken`."""
        return SignedUrls(self.studio, clock=time.time)

    def is_ready(self) -> bool:
        """Whether the database responds."""
        try:
            with self.database.transaction():
                return True
        except (psycopg.Error, PosegenError):
            return False


@contextmanager
def open_installation(settings: Settings, database: Database, *, url: str) -> Iterator[Installation]:
    """The installation of these settings until the block ends. `url`: what absolute URLs begin with."""
    catalogue = CatalogueCache(database, settings, clock=time.monotonic)
    with closing(Backends.of(settings)) as backends, DecoderPool() as decoders:
        yield Installation(
            settings, database, Stores.of(settings), backends, url.rstrip("/"), catalogue, decoders=decoders
        )


async def _here(connection: HTTPConnection) -> Installation:
    installation: Installation = connection.app.state.installation
    return installation


Here = Annotated[Installation, Depends(_here)]
"""The installation, as a parameter of a route."""
