"""Statements on the table of platforms, which holds the built-in ones and operators' own.

Intake and exports read platforms here. The file of operators is read in `file`, only when a process starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from posegen.database.connection import Connection
from posegen.database.rows import many
from posegen.platforms.file import problem_of
from posegen.platforms.platform import EXPORT_TYPE, PLATFORMS, Platform

_COLUMNS = "name, width, height, reserve_bytes, source, max_bytes, fit, background, quality, dpi, read_on"


def seed_platforms(connection: Connection, own: Iterable[Platform] | None = None) -> None:
    """Insert or update the built-in platforms and those of `own`; any other one of operators is deleted.

    `own`: None leaves the platforms of operators as they are.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            f"""
            insert into platforms ({_COLUMNS}, content_type, built_in)
            values (%(name)s, %(width)s, %(height)s, %(reserve_bytes)s, %(source)s, %(max_bytes)s, %(fit)s,
                    %(background)s, %(quality)s, %(dpi)s, %(read_on)s, %(content_type)s, %(built_in)s)
            on conflict (name) do update set ({_COLUMNS}, content_type, built_in) =
                (excluded.name, excluded.width, excluded.height, excluded.reserve_bytes, excluded.source,
                 excluded.max_bytes, excluded.fit, excluded.background, excluded.quality, excluded.dpi,
                 excluded.read_on, excluded.content_type, excluded.built_in)
                where (platforms.width, platforms.height, platforms.reserve_bytes, platforms.source,
                       platforms.max_bytes, platforms.fit, platforms.background, platforms.quality, platforms.dpi,
                       platforms.read_on, platforms.content_type, platforms.built_in)
                    is distinct from (excluded.width, excluded.height, excluded.reserve_bytes, excluded.source,
                                      excluded.max_bytes, excluded.fit, excluded.background, excluded.quality,
                                      excluded.dpi, excluded.read_on, excluded.content_type, excluded.built_in)
            """,
            [
                {**vars(each), "content_type": EXPORT_TYPE, "built_in": each.name in PLATFORMS}
                for each in (*PLATFORMS.values(), *(own or ()))
            ],
        )
    if own is not None:
        connection.execute(
            "delete from platforms where not built_in and name <> all(%s)", [[platform.name for platform in own]]
        )


@dataclass(frozen=True)
class JudgedPlatforms:
    """The platforms of the table, by their names. `unusable`: why no export can be made for one."""

    usable: dict[str, Platform]
    unusable: dict[str, str]


def judged_platforms(connection: Connection) -> JudgedPlatforms:
    """Every platform, the built-in ones first; the table may hold what no file of operators could."""
    rows = many(connection, Platform, f"select {_COLUMNS} from platforms order by built_in desc, name")
    problems = {platform.name: problem for platform in rows if (problem := problem_of(platform)) is not None}
    return JudgedPlatforms({each.name: each for each in rows if each.name not in problems}, problems)


def stored_platforms(connection: Connection) -> dict[str, Platform]:
    """Every platform that exports can be made for, by its name, the built-in ones first."""
    return judged_platforms(connection).usable
