"""Credits: grant, hold, capture, release, refund. Every movement is a ledger entry, and the balances follow.

What a pose costs is decided at intake and recorded with the pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.errors import CheckViolation

from posegen.database.connection import Connection
from posegen.database.keyset import page
from posegen.database.rows import one, value
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused

WORKER = "posegen"


@dataclass(frozen=True)
class Balance:
    """An account. Credits are whole numbers; storage is in bytes."""

    credits_granted: int
    credits_available: int
    credits_held: int
    credits_spent: int
    storage_used: int
    storage_reserved: int
    storage_limit: int

    @property
    def storage_free(self) -> int:
        """Bytes that are neither used nor reserved."""
        return self.storage_limit - self.storage_used - self.storage_reserved


@dataclass(frozen=True)
class Hold:
    """What was set aside for a generation, and what became of it, in credits."""

    amount: int
    captured: int
    released: int
    refunded: int = 0


@dataclass(frozen=True)
class Entry:
    """A movement of credits, from `source` to `target`. `id`: its place in the ledger."""

    id: int
    kind: str
    amount: int
    source: str
    target: str
    generation_id: UUID | None
    pose_id: UUID | None
    reason: str
    actor: str
    created_at: datetime


def hold_of(connection: Connection, generation_id: UUID) -> Hold | None:
    """The hold of a generation, or None when it was never accepted."""
    statement = "select amount, captured, released, refunded from holds where generation_id = %s"
    return one(connection, Hold, statement, [generation_id])


def balance_of(connection: Connection, user_id: UUID, *, lock: bool = False) -> Balance | None:
    """The account of a user, or None when there is no such user."""
    statement = f"""
        select credits_granted, credits_available, credits_held, credits_spent, storage_used, storage_reserved,
               storage_limit
        from accounts where user_id = %s {"for update" if lock else ""}
    """
    return one(connection, Balance, statement, [user_id])


def entries_of(connection: Connection, user_id: UUID, *, limit: int, after: int | None) -> list[Entry]:
    """A page of the movements of a user's credits, the latest first. `after`: the id of the last one before it."""
    return page(
        connection,
        Entry,
        """
        select id, kind, amount, source, target, generation_id, pose_id, reason, actor, created_at from ledger_entries
        """,
        order=("id",),
        limit=limit,
        after=None if after is None else [after],
        where={"user_id = %s": user_id},
    )


def grant(connection: Connection, user_id: UUID, amount: int, *, reason: str, actor: str) -> int:
    """Give credits to a user; returns what is available now. `amount`: above 0."""
    return int(value(connection, "select grant_credits(%s, %s, %s, %s)", [user_id, amount, reason, actor]))


def refund(connection: Connection, poses: Sequence[UUID], *, reason: str, actor: str) -> int:
    """Give back what was paid for these poses; returns the credits. Those that were refunded before add nothing."""
    return int(value(connection, "select refund_poses(%s, %s, %s)", [list(poses), reason, actor]))


def hold(connection: Connection, user_id: UUID, generation_id: UUID, amount: int) -> None:
    """Set credits aside for a generation.

    Raises `RequestRefused` (insufficient_credits) when fewer are available; the transaction goes on all the same.
    """
    try:
        with connection.transaction():
            connection.execute(
                """
                insert into ledger_entries (kind, user_id, source, target, amount, generation_id, reason, actor)
                values ('hold', %s, 'available', 'held', %s, %s, 'generation accepted', %s)
                """,
                [user_id, amount, generation_id, WORKER],
            )
    except CheckViolation as refused:
        if refused.diag.constraint_name != "credits_available_not_negative":
            raise
        raise insufficient(balance_of(connection, user_id), amount) from None


def insufficient(account: Balance | None, amount: int) -> RequestRefused:
    """The refusal of what costs more credits than are available."""
    available = 0 if account is None else account.credits_available
    return RequestRefused(
        ErrorCode.INSUFFICIENT_CREDITS,
        f"This generation costs {amount} credits and {available} are available: ask for fewer poses or grant credits.",
    )


def capture(connection: Connection, generation_id: UUID, pose: UUID) -> None:
    """Charge a completed pose at its recorded price."""
    _move(connection, "capture", "spent", generation_id, pose, "pose completed")


def release(connection: Connection, generation_id: UUID, pose: UUID, reason: str) -> None:
    """Give back what was held for a pose that will not be made."""
    _move(connection, "release", "available", generation_id, pose, reason)


def _move(connection: Connection, kind: str, target: str, generation_id: UUID, pose: UUID, reason: str) -> None:
    connection.execute(
        """
        insert into ledger_entries (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor)
        select %s, h.user_id, 'held', %s, p.price, p.generation_id, p.id, %s, %s
        from generated_poses p join holds h on h.generation_id = p.generation_id
        where p.id = %s and p.generation_id = %s
        """,
        [kind, target, reason, WORKER, pose, generation_id],
    )
