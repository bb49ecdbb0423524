"""What every command stands on: the settings, the database server for as long as the command runs, and the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from posegen.backends.registry import Backends
from posegen.cli import console
from posegen.database.connection import Database
from posegen.database.migrate import newest_revision, revision_in
from posegen.database.server import DatabaseUrls, open_server
from posegen.errors import BackendNotConfigured, DatabaseUnusable, SettingsInvalid, StoreUnknown
from posegen.logs import configure_logging
from posegen.objects import stores
from posegen.objects.identity import require_own
from posegen.objects.moving import delete_due
from posegen.platforms.file import own_platforms
from posegen.platforms.platform import Platform
from posegen.policy.lists import read_lists
from posegen.settings import Settings, load_settings
from posegen.storage.configuration import StoresConfig
from posegen.storage.protocol import ObjectStore
from posegen.storage.stores import Stores
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database


@dataclass(frozen=True)
class Session:
    """One command's view of Posegen."""

    settings: Settings
    urls: DatabaseUrls
    database: Database
    stores: Stores
    backends: Backends

    @property
    def store(self) -> ObjectStore:
        """The store that takes what is new."""
        return self.stores.current

    def check_stores(self) -> None:
        """Says which stores rows need without their being configured. Raises `StoreMistaken`, and what the store says.

        For commands that are about to write: an unusable store is reported before the first pose.
        """
        require_own(self.database, Stores.of(self.settings, quick=True).current)
        with self.database.transaction() as connection:
            needed = stores.needed(connection)
        for name in needed:
            if name not in self.stores.names:
                console.complain(str(StoreUnknown(name, self.stores.names)))

    def stores_in_use(self) -> list[ObjectStore]:
        """The current store and every other one that rows need. Raises `StoreUnknown` for one not configured."""
        with self.database.transaction() as connection:
            needed = stores.needed(connection)
        return [self.store, *(self.stores.named(name) for name in needed if name != self.store.name)]

    def delete_due(self) -> None:
        """Delete what is doomed and due from every store that rows need, without waiting for the nightly clean-up."""
        for store in self.stores_in_use():
            delete_due(self.database, store)

    def studio(self) -> Studio:
        """What pictures are made with, in this process. Raises `StoreMistaken`."""
        return Studio.of(self.settings, self.database, self.stores, self.backends)


@contextmanager
def open_session(*, upgrade: bool = False, despite_files: bool = False) -> Iterator[Session]:
    """Open everything; the embedded server is started if need be.

    Args:
        upgrade: bring the database to this version and let its URLs begin as the settings say. The embedded one always
            is; on another server a command that only looks must not change what others publish.
        despite_files: go on with a broken file of the operator, and leave the database as it is then: for the command
            that says what waits for the file.

    Raises:
        SettingsInvalid: a file of the operator is broken.
        BackendNotConfigured: a backend that the settings name cannot be used.
        DatabaseUnusable: the schema is another one and was not to be upgraded.
    """
    settings = load_settings()
    configure_logging(settings)
    backends = Backends.of(settings)
    own, are_sound = None, True
    try:
        own = _checked_files(settings, backends)
    except (BackendNotConfigured, SettingsInvalid):
        if not despite_files:
            raise
        are_sound = False
    with open_server(settings) as urls, Database(urls.application) as database, closing(backends):
        if are_sound and (upgrade or urls.embedded):
            prepare_database(database, base_urls=StoresConfig.of(settings).base_urls(), own_platforms=own)
        else:
            _check_schema(database)
        yield Session(settings, urls, database, Stores.of(settings), backends)


def _checked_files(settings: Settings, backends: Backends) -> Sequence[Platform] | None:
    """The platforms of the operator. Every request would meet a broken file: better now, with all that is wrong."""
    backends.check()
    own = own_platforms(settings.posegen_platforms_file)
    if settings.posegen_policy_file is not None:
        read_lists(settings.posegen_policy_file)
    return own


def _check_schema(database: Database) -> None:
    with database.transaction() as connection:
        found, needed = revision_in(connection), newest_revision()
    if found != needed:
        raise DatabaseUnusable(
            f"The database is at revision {found or 'none'} and this version needs {needed}: run `posegen db upgrade`."
        )
