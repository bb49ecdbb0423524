"""Views and functions as they are now, each in a file of its own in `migrations/repeatable`.

They are applied after the numbered migrations, all of them, when one has changed or a migration has run. The README of
the folder says how they are changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import sqlalchemy

from posegen.errors import DatabaseUnusable

EDITION_FILE = "EDITION"


def edition(folder: Path) -> int:
    """The number of these definitions. It rises with each change, so that an older program recognises newer ones."""
    number, _ = (folder / EDITION_FILE).read_text().split()
    return int(number)


def digest(folder: Path) -> str:
    """The SHA-256 of all definitions, in hexadecimal."""
    return hashlib.sha256(repr(sorted(_files(folder).items())).encode()).hexdigest()


def apply_definitions(connection: sqlalchemy.Connection, folder: Path, migration: str) -> None:
    """Replace all views and functions if a file has changed, or a migration ran since they were applied.

    `migration`: the newest one. Raises `DatabaseUnusable` for a database with a newer edition.
    """
    found, wanted = _applied(connection), (edition(folder), digest(folder), migration)
    if found is not None and found[0] > wanted[0]:
        raise DatabaseUnusable(
            f"The database was made by another version of Posegen: its views and functions are edition {found[0]}, and "
            f"this version has edition {wanted[0]}. Use the version that made it, or a newer one."
        )
    if found == wanted:
        return
    for text in in_order(_files(folder)):
        # Without parameters a percent sign is only a percent sign, and a text may have several statements.
        connection.exec_driver_sql(text, execution_options={"no_parameters": True})
    connection.execute(
        sqlalchemy.text(
            "insert into definitions_version (edition, digest, migration) values (:edition, :digest, :migration)"
            " on conflict (the_only_one) do update"
            " set edition = excluded.edition, digest = excluded.digest, migration = excluded.migration"
        ),
        dict(zip(("edition", "digest", "migration"), wanted, strict=True)),
    )


def in_order(files: Mapping[str, str]) -> list[str]:
    """The texts in an order in which each comes after those that it names.

    Args:
        files: texts by the name of what each defines.
    """
    named = {name: sorted(_words(text) & (files.keys() - {name})) for name, text in sorted(files.items())}
    return [files[name] for name in TopologicalSorter(named).static_order()]


def _words(text: str) -> set[str]:
    """The words of a text without its comments, which may name anything."""
    return set(re.findall(r"\w+", re.sub(r"--.*|^comment on .*", "", text, flags=re.MULTILINE)))


def _files(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in folder.glob("*/*.sql")}


def _applied(connection: sqlalchemy.Connection) -> tuple[int, str, str] | None:
    if connection.scalar(sqlalchemy.text("select to_regclass('definitions_version')")) is None:
        return None
    row = connection.execute(
        sqlalchemy.text("select edition, digest, migration from definitions_version")
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])
