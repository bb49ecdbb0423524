"""The studio as a Dagster resource: opened once for a run, closed with it; then its stores' traffic is written down."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import structlog

from posegen.backends.breaker import BackendRule
from posegen.backends.registry import open_backend
from posegen.database.connection import Database
from posegen.database.failures import is_lost
from posegen.errors import DatabaseUnusable
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.objects.identity import require_own
from posegen.objects.traffic import add_traffic
from posegen.storage.stores import Stores
from posegen.studio import Studio
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome
from resources.database import DatabaseResource
from resources.storage import StorageResource

log = structlog.get_logger(__name__)


class StudioResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic over itself
    """What pictures are made with; the fields are those of `posegen.studio.Studio`."""

    database: dg.ResourceDependency[DatabaseResource]
    storage: dg.ResourceDependency[StorageResource]
    render_threads: int
    lease_seconds: float
    most_attempts: int
    most_lost_leases: int
    backend_attempts: int
    backend_seconds: float
    quality_retries: int
    breaker_failures: int
    breaker_seconds: float
    worker_home: str
    thumbnails: str

    @contextmanager
    def open(self) -> Iterator[Studio]:
        """The studio, with its connections closed at the end of the block.

        Raises `StoreMistaken` when the store is not the one that this database has been writing to.
        """
        with self.database.open() as database:
            stores = self.storage.open()
            with _traffic_noted(database, stores):
                require_own(database, stores.current)
                yield Studio(
                    database=database,
                    store=stores.current,
                    open_store=stores.named,
                    open_backend=open_backend,
                    render_threads=self.render_threads,
                    lease_seconds=self.lease_seconds,
                    retry_rule=RetryRule(most_attempts=self.most_attempts, most_lost_leases=self.most_lost_leases),
                    backend_rule=BackendRule(
                        attempts=self.backend_attempts,
                        call_seconds=self.backend_seconds,
                        failures=self.breaker_failures,
                        breaker_seconds=self.breaker_seconds,
                    ),
                    quality_retries=self.quality_retries,
                    worker_home=WorkerHome(Path(self.worker_home)),
                    thumbnails=thumbnail_sizes(self.thumbnails),
                )


@contextmanager
def _traffic_noted(database: Database, stores: Stores) -> Iterator[None]:
    """Write down what the stores were asked for in the block, also when it fails."""
    try:
        yield
    except BaseException as failure:
        if not is_lost(failure):  # to wait for the database once more would only delay the report of its loss
            _note_traffic(database, stores)
        raise
    _note_traffic(database, stores)


def _note_traffic(database: Database, stores: Stores) -> None:
    """What was made counts, whether or not it can be counted: no failure in here is the work's."""
    asked = [(name, traffic) for name, traffic in sorted(stores.traffic().items()) if traffic.by_operation()]
    if not asked:
        return
    try:
        with database.transaction() as connection:
            for name, traffic in asked:
                add_traffic(connection, name, traffic)
    except (psycopg.Error, DatabaseUnusable) as failure:
        log.warning("traffic of the stores is not written down", reason=str(failure))
