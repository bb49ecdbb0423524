"""What operators ask of stored objects, for every door: the command, and the jobs of Dagster.

Moving, deleting and the identity of stores are in `moving` and `identity`, which are called in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from posegen.database.connection import Database
from posegen.objects import adopted_files, moves, stores
from posegen.objects.moves import Left, Slice
from posegen.objects.stores import StoreUsage


@dataclass(frozen=True)
class PlacedFile:
    """Where a file lies that a row of a home shows.

    Attributes:
        owner: the id of the row, as text.
        field: of the home's results, which has the file's public URL.
        store: the name of the store.
        key: of the object there.
    """

    owner: str
    field: str
    store: str
    key: str


def left_in(database: Database, store: str) -> Left:
    """The objects and bytes that rows say to be in a store."""
    with database.transaction() as connection:
        return moves.still_to_move(connection, store)


def objects_by_store(database: Database) -> dict[str, int]:
    """How many objects rows say to be in each store that has any, by its name."""
    with database.transaction() as connection:
        return {store: moves.still_to_move(connection, store).objects for store in stores.needed(connection)}


def usage(database: Database) -> list[StoreUsage]:
    """How much lies in each store, by the first part of the keys."""
    with database.transaction() as connection:
        return stores.usage(connection)


def slices(database: Database, store: str, size: int) -> list[Slice]:
    """The objects of a store in slices of `size`, for moving them side by side."""
    with database.transaction() as connection:
        return moves.slices(connection, store, size)


def adopted_files_in(database: Database, store: str) -> int:
    """How many files of the operator were adopted where they lie in a store."""
    with database.transaction() as connection:
        return adopted_files.count_in(connection, store)
