"""What every door shows of platforms. How exports are made for them lives in `drawing`, operators' file in `file`."""

from __future__ import annotations

from posegen.database.connection import Database
from posegen.platforms import rows
from posegen.platforms.platform import Platform


def platforms(database: Database) -> list[Platform]:
    """The platforms that exports can be made for, the built-in ones first."""
    with database.transaction() as connection:
        return list(rows.stored_platforms(connection).values())
