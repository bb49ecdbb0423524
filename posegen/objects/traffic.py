"""What stores were asked for, as rows: one for each store, UTC day and operation.

The counting itself is `posegen.storage.traffic`.
"""

from __future__ import annotations

from posegen.database.connection import Connection
from posegen.storage.traffic import Traffic


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
