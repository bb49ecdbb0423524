"""What stores were asked for, as rows: one for each store, UTC day and operation.

The counting itself is `posegen.storage.traffic`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog

from posegen.database.connection import Connection, Database
from posegen.database.failures import is_lost
from posegen.errors import DatabaseUnusable
from posegen.storage.stores import Stores
from posegen.storage.traffic import Traffic

log = structlog.get_logger(__name__)


def add_traffic(connection: Connection, store: str, traffic: Traffic) -> None:
    """Add what one opened store was asked for to its rows of today. A store without a row in `stores` is left out."""
    counts = traffic.by_operation()
    connection.execute(
        """
        insert into store_traffic as earlier (store, day, operation, operations, bytes, errors, seconds)
        select %(store)s, (now() at time zone 'utc')::date, counted.*
        from unnest(%(operation)s::text[], %(operations)s::bigint[], %(bytes)s::bigint[], %(errors)s::bigint[],
                    %(seconds)s::double precision[]) as counted
        where exists (select from stores where name = %(store)s)
        order by 3
        on conflict (store, day, operation) do update set
            operations = earlier.operations + excluded.operations, bytes = earlier.bytes + excluded.bytes,
            errors = earlier.errors + excluded.errors, seconds = earlier.seconds + excluded.seconds
        """,
        {
            "store": store,
            "operation": [str(operation) for operation in counts],
            "operations": [count.operations for count in counts.values()],
            "bytes": [count.bytes for count in counts.values()],
            "errors": [count.errors for count in counts.values()],
            "seconds": [count.seconds for count in counts.values()],
        },
    )


@contextmanager
def noted_traffic(database: Database, stores: Stores) -> Iterator[None]:
    """Record the traffic of the stores in the block, also when the block fails."""
    try:
        yield
    except BaseException as failure:
        if not is_lost(failure):  # another wait for the database would only delay the report of its loss
            _note_traffic(database, stores)
        raise
    _note_traffic(database, stores)


def _note_traffic(database: Database, stores: Stores) -> None:
    """A failure to record traffic is logged; it never fails the work."""
    asked = [(name, traffic) for name, traffic in sorted(stores.traffic().items()) if traffic.by_operation()]
    if not asked:
        return
    try:
        with database.transaction() as connection:
            for name, traffic in asked:
                add_traffic(connection, name, traffic)
    except (psycopg.Error, DatabaseUnusable) as failure:
        log.warning("traffic of the stores is not written down", reason=str(failure))
