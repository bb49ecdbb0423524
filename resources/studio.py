"""The studio as a Dagster resource: opened once for a run, closed with it; then its stores' traffic is written down."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import structlog

from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.database.failures import is_lost
from posegen.errors import DatabaseUnusable
from posegen.objects.traffic import add_traffic
from posegen.settings import Settings
from posegen.storage.stores import Stores
from posegen.studio import Studio
from resources.database import DatabaseResource

log = structlog.get_logger(__name__)


class StudioResource:
    """The studio of a deployment. `settings`: of this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @contextmanager
    def open(self) -> Iterator[Studio]:
        """The studio, with its connections closed at the end of the block.

        Raises `StoreMistaken` when the store is not the one that this database has been writing to.
        """
        with (
            DatabaseResource(self._settings.database_url).open() as database,
            closing(Backends.of(self._settings)) as backends,
        ):
            stores = Stores.of(self._settings)
            with _traffic_noted(database, stores):
                yield Studio.of(self._settings, database, stores, backends)


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
