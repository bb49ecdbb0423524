"""The application's database as a Dagster resource. Configuration only: `open()` gives what the domain knows."""

import dagster as dg

from posegen.database.connection import Database

LOCK_SECONDS = 1.0


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic over itself
    """Where the application's database is. `url`: `postgresql://user:password@host:port/database`."""

    url: str

    def open(self) -> Database:
        """A pool of connections; the caller closes it."""
        return Database(self.url)

    def open_for_a_tick(self) -> Database:
        """The same for a sensor: it leaves a row that another session holds for long to its next tick."""
        return Database(self.url, lock_seconds=LOCK_SECONDS)
