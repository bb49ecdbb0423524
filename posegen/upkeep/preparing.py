"""Making a database ready for this version of Posegen: newest schema, newest lists, the stores that it may need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from posegen.database.connection import Database
from posegen.database.migrate import upgrade_schema
from posegen.designs import rows as designs
from posegen.generations.rows import events
from posegen.library import rows as library
from posegen.objects import stores
from posegen.platforms import rows as platforms
from posegen.platforms.platform import Platform


def prepare_database(
    database: Database,
    *,
    base_urls: Mapping[str, str | None],
    own_platforms: Iterable[Platform] | None = None,
) -> str:
    """Bring everything up to date and return the schema's revision; doing it again changes nothing.

    `base_urls`: what the URLs of each store that is configured begin with, None for one that is not public;
    `own_platforms`: all that operators have added; without them, those of the database stay.
    """
    revision = upgrade_schema(database.url)
    with database.transaction() as connection:
        library.seed_reference_data(connection)
        platforms.seed_platforms(connection, own_platforms)
        designs.seed_design_lists(connection)
        stores.register(connection, base_urls)
        events.forget_restored_positions(connection)
    return revision
