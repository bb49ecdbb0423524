"""The studio as a Dagster resource: opened once for a run, closed with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from posegen.backends.breaker import BackendRule
from posegen.backends.registry import open_backend
from posegen.lifecycle.rules import RetryRule
from posegen.lifecycle.workers import WorkerHome
from posegen.storage.identity import require_own
from posegen.studio.studio import Studio
from resources.database import DatabaseResource
from resources.storage import StorageResource


class StudioResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic over itself
    """What pictures are made with; the fields are those of `posegen.studio.studio.Studio`."""

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

    @contextmanager
    def open(self) -> Iterator[Studio]:
        """The studio, with its connections closed at the end of the block.

        Raises `StoreMistaken` when the store is not the one that this database has been writing to.
        """
        with self.database.open() as database:
            stores = self.storage.open()
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
            )
