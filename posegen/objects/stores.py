"""Statements about stores: which there are, what their URLs begin with, and how much lies in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import column, many, one


@dataclass(frozen=True)
class StoreRow:
    """A store as the database knows it. `identity`: what its marker has to say; `marked`: it was seen to say so."""

    name: str
    base_url: str | None
    identity: UUID
    marked: bool


@dataclass(frozen=True)
class StoreUsage:
    """What rows say of the objects below one folder of a store. `bytes`: their sizes together."""

    store: str
    folder: str
    objects: int
    bytes: int


def register(connection: Connection, base_urls: Mapping[str, str | None]) -> None:
    """Make stores known by their names, or change what their URLs begin with; None for one that is not public."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into stores (name, base_url) values (%s, %s)
            on conflict (name) do update set base_url = excluded.base_url
                where stores.base_url is distinct from excluded.base_url
            """,
            sorted(base_urls.items()),
        )


def store_row(connection: Connection, name: str) -> StoreRow | None:
    """One store, or None when it was never registered."""
    statement = "select name, base_url, identity, marked_at is not null as marked from stores where name = %s"
    return one(connection, StoreRow, statement, [name])


def put_marked(connection: Connection, name: str) -> None:
    """Write down that the store has been seen with its marker."""
    connection.execute("update stores set marked_at = now() where name = %s and marked_at is null", [name])


def needed(connection: Connection) -> list[str]:
    """The stores in which rows say that objects lie, by name."""
    statement = "select name from stores s where exists (select from objects where store = s.name) order by name"
    return column(connection, statement)


def usage(connection: Connection) -> list[StoreUsage]:
    """How much lies in each store, by the first part of the keys."""
    statement = """
        select store, split_part(key, '/', 1) as folder, count(*) as objects, sum(size)::bigint as bytes
        from objects group by 1, 2 order by 1, 2
    """
    return many(connection, StoreUsage, statement)
