"""Making a database ready for this version of Posegen: newest schema, newest lists, the store that takes objects."""

from __future__ import annotations

from posegen.database import library, objects
from posegen.database.connection import Database
from posegen.database.migrate import upgrade_schema


def prepare_database(database: Database, *, store: str, base_url: str) -> str:
    """Bring everything up to date and answer the schema's revision; doing it again changes nothing."""
    revision = upgrade_schema(database.url)
    with database.transaction() as connection:
        library.seed_reference_data(connection)
        objects.register_store(connection, store, base_url)
    return revision
