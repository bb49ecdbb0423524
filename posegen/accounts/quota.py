"""Storage quota: reserved when a generation is accepted, turned into real bytes as objects arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from posegen.accounts.credits import Balance, balance_of
from posegen.database.connection import Connection
from posegen.database.rows import changed, many, one, value
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused


def reserve(connection: Connection, user_id: UUID, size: int) -> None:
    """Set `size` bytes aside. Raises `RequestRefused` (quota_exceeded) when they do not fit under the limit."""
    statement = """
        update accounts set storage_reserved = storage_reserved + %(size)s
        where user_id = %(user)s and storage_used + storage_reserved + %(size)s <= storage_limit
    """
    if not changed(connection, statement, {"size": size, "user": user_id}):
        raise exceeded(balance_of(connection, user_id), size)


def use(connection: Connection, user_id: UUID, size: int) -> None:
    """Count `size` bytes as used that nothing was reserved for. Raises `RequestRefused` (quota_exceeded)."""
    statement = """
        update accounts set storage_used = storage_used + %(size)s
        where user_id = %(user)s and storage_used + storage_reserved + %(size)s <= storage_limit
    """
    if not changed(connection, statement, {"size": size, "user": user_id}):
        raise exceeded(balance_of(connection, user_id), size)


def settle(connection: Connection, generation_id: UUID, size: int) -> None:
    """Turn `size` reserved bytes of a generation into used ones; what was not reserved must fit under the limit.

    Raises `RequestRefused` (quota_exceeded) when it does not.
    """
    statement = """
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
    """
    settled = one(connection, _Settled, statement, {"size": size, "id": generation_id})
    if settled is not None and not settled.settled:
        raise exceeded(balance_of(connection, settled.user_id), size - settled.from_reserve)


def exceeded(account: Balance | None, size: int) -> RequestRefused:
    """The refusal of `size` bytes that do not fit under the limit."""
    free, limit = (account.storage_free, account.storage_limit) if account else (0, 0)
    return RequestRefused(
        ErrorCode.QUOTA_EXCEEDED,
        f"This may need {size:,} bytes and {free:,} of {limit:,} are free: delete images or raise the limit.",
    )


def give_back(connection: Connection, generation_id: UUID) -> None:
    """Return what a generation reserved and did not use."""
    connection.execute("select give_back_reservation(%s)", [generation_id])


@dataclass(frozen=True)
class _Settled:
    user_id: UUID
    from_reserve: int
    settled: bool


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


def wrong_accounts(connection: Connection) -> list[Recounted]:
    """The accounts whose space is not that of their objects and generations."""
    return many(connection, Recounted, _WRONG)


def correct(connection: Connection, user_id: UUID, actor: str) -> bool:
    """Set the space of an account to what its objects and generations have; False when it is right already."""
    return bool(value(connection, "select recount_space(%s, %s)", [user_id, actor]))
