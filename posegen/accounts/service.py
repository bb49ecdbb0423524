"""What customers and operators do with accounts, for every door: the command, and HTTP.

A door calls these functions and shows what they return; it decides nothing and opens no transaction. Holds, captures
and releases belong to work and are not here: `posegen.accounts.credits` has the statements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from posegen.accounts import credits, quota, replay, users
from posegen.accounts.credits import Balance, Entry
from posegen.accounts.quota import Recounted
from posegen.accounts.replay import Audit
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.errors import UserUnknown


@dataclass(frozen=True)
class Granted:
    """Credits that a user was given. `available`: what the user has now."""

    user_id: UUID
    amount: int
    available: int


@again_after_conflict
def user_with_credits(database: Database, user_id: UUID, name: str, *, credits: int, reason: str) -> UUID:
    """The user with this id, inserted and given credits when there is none yet."""
    with database.transaction() as connection:
        return users.free_user(connection, user_id, name, credits=credits, reason=reason)


def balance(database: Database, user_id: UUID) -> Balance:
    """The credits and the space of a user. Raises `UserUnknown`."""
    with database.transaction() as connection:
        found = credits.balance_of(connection, user_id)
    if found is None:
        raise UserUnknown(user_id)
    return found


def movements(database: Database, user_id: UUID, *, limit: int) -> list[Entry]:
    """The movements of a user's credits, the latest first; none for an unknown user."""
    with database.transaction() as connection:
        return credits.entries_of(connection, user_id, limit)


@again_after_conflict
def grant(
    database: Database,
    user_id: UUID,
    amount: int,
    *,
    reason: str,
    actor: str,
    before_commit: Callable[[Granted], object] = lambda _: None,
) -> Granted:
    """Give credits to a user.

    Args:
        database: where the account is.
        user_id: who gets them.
        amount: credits, above 0.
        reason: why, for the ledger.
        actor: who decided, for the ledger and the audit trail.
        before_commit: called with the result. A commit whose answer is lost may have been made all the same.

    Raises:
        UserUnknown: there is no such user.
    """
    with database.transaction() as connection:
        if credits.balance_of(connection, user_id) is None:
            raise UserUnknown(user_id)
        available = credits.grant(connection, user_id, amount, reason=reason, actor=actor)
        granted = Granted(user_id, amount, available)
        before_commit(granted)
    return granted


def audit(database: Database) -> Audit:
    """The ledger replayed from its first entry, on one snapshot, and every difference from what is recorded."""
    with database.transaction() as connection:
        return replay.audit(connection)


def recount(database: Database, *, actor: str, dry_run: bool = False) -> list[Recounted]:
    """Count the space of all users anew; returns the accounts that were wrong, and corrects them unless `dry_run`."""
    with database.transaction() as connection:
        wrong = quota.wrong_accounts(connection)
    return wrong if dry_run else [each for each in wrong if _corrected(database, each.user_id, actor)]


def _corrected(database: Database, user_id: UUID, actor: str) -> bool:
    """Whether the account was wrong still when it was locked."""
    with database.transaction() as connection:
        return quota.correct(connection, user_id, actor)
