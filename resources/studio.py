"""The studio as a Dagster resource: opened once for a run, closed with it; then its stores' traffic is written down."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from posegen.backends.registry import Backends
from posegen.objects.traffic import noted_traffic
from posegen.settings import Settings
from posegen.storage.stores import Stores
from posegen.studio import Studio
from resources.database import DatabaseResource


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
            with noted_traffic(database, stores):
                yield Studio.of(self._settings, database, stores, backends)
