"""What every command stands on: the settings, the database server for as long as the command runs, and the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from posegen.backends.registry import open_backend
from posegen.database.connection import Database
from posegen.database.migrate import current_revision, newest_revision
from posegen.database.prepare import prepare_database
from posegen.database.server import DatabaseUrls, open_server
from posegen.errors import DatabaseUnusable
from posegen.lifecycle.outcomes import RetryRule
from posegen.logs import configure_logging
from posegen.settings import Settings, load_settings
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.studio.studio import Studio


@dataclass(frozen=True)
class Session:
    """One command's view of Posegen."""

    settings: Settings
    urls: DatabaseUrls
    database: Database
    store: ObjectStore

    def studio(self) -> Studio:
        """What pictures are made with, in this process."""
        return Studio(
            database=self.database,
            store=self.store,
            open_backend=open_backend,
            render_threads=self.settings.posegen_render_threads,
            lease_seconds=self.settings.posegen_lease_seconds,
            retry_rule=RetryRule(most_attempts=self.settings.posegen_max_attempts),
        )


@contextmanager
def open_session(*, upgrade: bool = False) -> Iterator[Session]:
    """Open everything; the embedded server is started if need be.

    `upgrade`: bring the database to this version and let its URLs begin as the settings say. The embedded one always
    is; on another server a command that only looks must not change what others publish.
    Raises `DatabaseUnusable` when the schema is another one and was not to be upgraded.
    """
    settings = load_settings()
    configure_logging(settings)
    # Every request would fail by it: better now, with the names that are known.
    open_backend(settings.posegen_backend)
    with open_server(settings) as urls, Database(urls.application) as database:
        store = LocalStore(settings.storage_path, base_url=settings.storage_base_url)
        if upgrade or urls.embedded:
            prepare_database(database, store=store.name, base_url=settings.storage_base_url)
        else:
            _check_schema(urls.application)
        yield Session(settings, urls, database, store)


def _check_schema(url: str) -> None:
    found, needed = current_revision(url), newest_revision()
    if found != needed:
        raise DatabaseUnusable(
            f"The database is at revision {found or 'none'} and this version needs {needed}: run `posegen db upgrade`."
        )
