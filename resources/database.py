"""The application's database as a Dagster resource: where it is. `open()` returns the domain's object."""

from posegen.database.connection import Database
from posegen.errors import DatabaseUnusable

LOCK_SECONDS = 1.0


class DatabaseResource:
    """Where the application's database is. `url`: `postgresql://user:password@host:port/database`."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    def open(self, *, lock_seconds: float = 0) -> Database:
        """A pool of connections; the caller closes it. Raises `DatabaseUnusable` where no database is configured."""
        if self._url is None:
            raise DatabaseUnusable("DATABASE_URL is not set; `posegen up` sets it for its processes.")
        return Database(self._url, lock_seconds=lock_seconds)

    def open_for_a_tick(self) -> Database:
        """The same for a sensor: it leaves a row that another session holds for long to its next tick."""
        return self.open(lock_seconds=LOCK_SECONDS)
