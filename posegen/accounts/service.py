"""What customers and operators do with accounts, for every door: the command, and HTTP.

A door calls these functions and shows what they return; it decides nothing and opens no transaction. Holds, captures
and releases belong to work and are not here: `posegen.accounts.credits` has the statements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from posegen import audit as audit_lines
from posegen.accounts import credits, quota, replay, users
from posegen.accounts import projects as project_rows
from posegen.accounts.credits import Balance, Entry
from posegen.accounts.projects import Project
from posegen.accounts.quota import Recounted
from posegen.accounts.replay import Audit
from posegen.accounts.users import User
from posegen.database.connection import Database
from posegen.database.keyset import Place
from posegen.errors import UserUnknown
from posegen.settings import Settings

Found = TypeVar("Found")


@dataclass(frozen=True)
class Limits:
    """What a user may ask for at most; None stands for no limit.

    Attributes:
        queued: generations that may wait.
        running: generations that are under way at once; others wait.
        poses_per_hour: poses that are accepted in any hour.
    """

    queued: int | None
    running: int | None
    poses_per_hour: int | None


@dataclass(frozen=True)
class Granted:
    """Credits that a user was given. `available`: what the user has now."""

    user_id: UUID
    amount: int
    available: int


def user_with_credits(database: Database, user_id: UUID, name: str, *, credits: int, reason: str) -> UUID:
    """The user with this id, inserted and given credits when there is none yet."""
    with database.transaction() as connection:
        return users.free_user(connection, user_id, name, credits=credits, reason=reason)


def balance(database: Database, user_id: UUID) -> Balance:
    """The credits and the space of a user. Raises `UserUnknown`."""
    with database.reading() as connection:
        return _existing(credits.balance_of(connection, user_id), user_id)


def movements(database: Database, user_id: UUID, *, limit: int) -> list[Entry]:
    """The latest movements of a user's credits, the latest first; none for an unknown user."""
    return entries(database, user_id, limit=limit)[:limit]


def entries(database: Database, user_id: UUID, *, limit: int, after: int | None = None) -> list[Entry]:
    """A page of the movements of a user's credits, the latest first; none for an unknown user.

    Args:
        database: where the ledger is.
        user_id: whose movements.
        limit: movements on a page.
        after: the id of the last movement of the page before; None for the first page.

    Returns:
        At most `limit + 1` movements: the last one tells that there is another page.
    """
    with database.reading() as connection:
        return credits.entries_of(connection, user_id, limit=limit, after=after)


def create_user(database: Database, name: str, *, actor: str, user_id: UUID | None = None) -> User:
    """Insert a user, who has no credits yet.

    Args:
        database: where users are.
        name: 1 to 200 characters.
        actor: who asked for it, for the audit trail.
        user_id: the id that another program has for the user; None for a new one.

    Raises:
        UserExists: there is a user with this id.
        RequestRefused: the database refuses the name (invalid_request).
    """
    with database.transaction() as connection:
        created = users.insert(connection, name, user_id)
        audit_lines.record(connection, actor=actor, action="user_created", subject=str(created), detail={})
        return _existing(users.find(connection, created), created)


def user(database: Database, user_id: UUID) -> User:
    """A user with the account. Raises `UserUnknown`."""
    with database.reading() as connection:
        return _existing(users.find(connection, user_id), user_id)


def list_users(database: Database, *, limit: int, after: Place | None = None) -> list[User]:
    """A page of all users, the newest first.

    Args:
        database: where users are.
        limit: users on a page.
        after: `created_at` and id of the last user of the page before; None for the first page.

    Returns:
        At most `limit + 1` users: the last one tells that there is another page.
    """
    with database.reading() as connection:
        return users.users(connection, limit=limit, after=after)


def update_user(
    database: Database, user_id: UUID, *, actor: str, name: str | None = None, storage_limit: int | None = None
) -> User:
    """Change a user.

    Args:
        database: where the user is.
        user_id: the user.
        actor: who asked for it, for the audit trail.
        name: the new name; None keeps the old one.
        storage_limit: the bytes that the user may use; None keeps the old number.

    Raises:
        UserUnknown: there is no such user.
        RequestRefused: the database refuses a value (invalid_request), such as a limit below what is used.
    """
    with database.transaction() as connection:
        before = _existing(users.find(connection, user_id, lock=True), user_id)
        users.update(connection, user_id, name=name, storage_limit=storage_limit)
        after = _existing(users.find(connection, user_id), user_id)
        detail = {
            column: [getattr(before, column), getattr(after, column)]
            for column in ("name", "storage_limit")
            if getattr(before, column) != getattr(after, column)
        }
        if detail:
            audit_lines.record(connection, actor=actor, action="user_changed", subject=str(user_id), detail=detail)
    return after


def limits(settings: Settings) -> Limits:
    """What each user may ask for at most, under these settings."""
    return Limits(
        queued=settings.posegen_max_queued_per_user or None,
        running=settings.posegen_max_running_per_user or None,
        poses_per_hour=settings.posegen_poses_per_hour or None,
    )


def projects(
    database: Database, user_id: UUID, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[Project]:
    """A page of the projects of a user's generations and designs, the one that was used last first.

    Args:
        database: where the requests are.
        user_id: whose projects; an unknown user has none.
        limit: projects on a page.
        after: `last_used_at` and `project_id` of the last project of the page before; None for the first page.

    Returns:
        At most `limit + 1` projects: the last one tells that there is another page.
    """
    with database.reading() as connection:
        return project_rows.projects_of(connection, user_id, limit=limit, after=after)


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
        before_commit: called with the result; a commit that fails with a lost connection may have been made.

    Raises:
        UserUnknown: there is no such user.
    """
    with database.transaction() as connection:
        _existing(credits.balance_of(connection, user_id), user_id)
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


def _existing(found: Found | None, user_id: UUID) -> Found:
    if found is None:
        raise UserUnknown(user_id)
    return found


def _corrected(database: Database, user_id: UUID, actor: str) -> bool:
    """Whether the account was wrong still when it was locked."""
    with database.transaction() as connection:
        return quota.correct(connection, user_id, actor)
