"""Storage quota: reserved when a generation is accepted, turned into real bytes as objects arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row

from posegen.database.connection import Connection, Database
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused


def reserve(connection: Connection, user_id: UUID, size: int) -> None:
    """Set `size` bytes aside. Raises `RequestRefused` (quota_exceeded) when they do not fit under the limit."""
    reserved = connection.execute(
        """
        update accounts set storage_reserved = storage_reserved + %(size)s
        where user_id = %(user)s and storage_used + storage_reserved + %(size)s <= storage_limit
        """,
        {"size": size, "user": user_id},
    )
    if reserved.rowcount != 1:
        raise _exceeded(connection, user_id, size)


def use(connection: Connection, user_id: UUID, size: int) -> None:
    """Count `size` bytes as used that nothing was reserved for. Raises `RequestRefused` (quota_exceeded)."""
    used = connection.execute(
        """
        update accounts set storage_used = storage_used + %(size)s
        where user_id = %(user)s and storage_used + storage_reserved + %(size)s <= storage_limit
        """,
        {"size": size, "user": user_id},
    )
    if used.rowcount != 1:
        raise _exceeded(connection, user_id, size)


def settle(connection: Connection, generation_id: UUID, size: int) -> None:
    """Turn `size` reserved bytes of a generation into used ones; what was not reserved must fit under the limit.

    Raises `RequestRefused` (quota_exceeded) when it does not.
    """
    row = connection.execute(
        """
        with before as (
            select id, user_id, least(storage_reserved, %(size)s) as from_reserve from generations where id = %(id)s
        ), taken as (
            update generations g set storage_reserved = g.storage_reserved - before.from_reserve
            from before where g.id = before.id
        ), settled as (
            update accounts a set storage_used = a.storage_used + %(size)s,
                storage_reserved = a.storage_reserved - before.from_reserve
            from before where a.user_id = before.user_id
                and a.storage_used + a.storage_reserved + %(size)s - before.from_reserve <= a.storage_limit
            returning a.user_id
        )
        select before.user_id, before.from_reserve, exists (select from settled) as settled from before
        """,
        {"size": size, "id": generation_id},
    ).fetchone()
    if row is not None and not row["settled"]:
        raise _exceeded(connection, row["user_id"], size - row["from_reserve"])


def _exceeded(connection: Connection, user_id: UUID, size: int) -> RequestRefused:
    row = connection.execute(
        """
        select storage_limit - storage_used - storage_reserved as free, storage_limit from accounts where user_id = %s
        """,
        [user_id],
    ).fetchone()
    free, limit = (row["free"], row["storage_limit"]) if row else (0, 0)
    return RequestRefused(
        ErrorCode.QUOTA_EXCEEDED,
        f"This may need {size:,} bytes and {free:,} of {limit:,} are free: delete images or raise the limit.",
    )


def give_back(connection: Connection, generation_id: UUID) -> None:
    """Return what a generation reserved and did not use."""
    connection.execute("select give_back_reservation(%s)", [generation_id])


@dataclass(frozen=True)
class Recounted:
    """A user whose space was not that of the objects and generations. All in bytes, before and after the recount."""

    user_id: UUID
    used_before: int
    used: int
    reserved_before: int
    reserved: int


_WRONG: LiteralString = """
    select a.user_id, a.storage_used as used_before, coalesce(o.bytes, 0) as used,
           a.storage_reserved as reserved_before, coalesce(g.reserved, 0)::bigint as reserved
    from accounts a
    left join (select user_id, sum(storage_reserved) as reserved from generations group by user_id) g
        on g.user_id = a.user_id
    left join space_by_user o on o.user_id = a.user_id
    where (a.storage_used, a.storage_reserved) is distinct from (coalesce(o.bytes, 0), coalesce(g.reserved, 0))
"""


def recount(database: Database, *, actor: str, dry_run: bool = False) -> list[Recounted]:
    """Count the space of all users anew; returns the accounts that were wrong, and corrects them unless `dry_run`."""
    with database.transaction() as connection, connection.cursor(row_factory=class_row(Recounted)) as cursor:
        wrong = cursor.execute(_WRONG).fetchall()
    if dry_run:
        return wrong
    return [each for each in wrong if _corrected(database, each.user_id, actor)]


def _corrected(database: Database, user: UUID, actor: str) -> bool:
    """Whether the account was wrong still when it was locked."""
    with database.transaction() as connection:
        row = connection.execute("select recount_space(%s, %s) as corrected", [user, actor]).fetchone()
    assert row is not None, "a function returns a row"
    return bool(row["corrected"])
