"""The studio as a Dagster resource: opened once for a run, closed with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from posegen.backends.registry import open_backend
from posegen.lifecycle.outcomes import RetryRule
from posegen.studio.studio import Studio
from resources.database import DatabaseResource
from resources.storage import LocalStorage


class StudioResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic over itself
    """What pictures are made with; the fields are those of `posegen.studio.studio.Studio`."""

    database: dg.ResourceDependency[DatabaseResource]
    storage: dg.ResourceDependency[LocalStorage]
    render_threads: int
    lease_seconds: float
    most_attempts: int

    @contextmanager
    def open(self) -> Iterator[Studio]:
        """The studio, with its connections closed at the end of the block."""
        with self.database.open() as database:
            yield Studio(
                database=database,
                store=self.storage.open(),
                open_backend=open_backend,
                render_threads=self.render_threads,
                lease_seconds=self.lease_seconds,
                retry_rule=RetryRule(most_attempts=self.most_attempts),
            )
