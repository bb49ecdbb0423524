"""Statements on sessions of browsers, and on the login links that begin them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.access.callers import DEFAULT_SCOPES, Caller, Kind
from posegen.database.connection import Connection
from posegen.database.rows import many, one

_COLUMNS = "id, user_id, is_admin, created_at, expires_at, revoked_at, last_used_at"


@dataclass(frozen=True)
class Session:
    """A browser that is signed in. `last_used_at`: to the minute."""

    id: UUID
    user_id: UUID
    is_admin: bool
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def credential(self) -> str:
        """How logs, the audit trail and rates name it."""
        return f"session:{self.id}"

    def caller(self) -> Caller:
        """Who calls with it."""
        kind = Kind.ADMIN if self.is_admin else Kind.USER
        return Caller(
            self.credential, kind, self.user_id, DEFAULT_SCOPES[kind], expires_at=self.expires_at, is_session=True
        )


def insert_link(
    connection: Connection, secret: bytes, user_id: UUID, *, is_admin: bool, created_by: str, expires_at: datetime
) -> None:
    """Insert a login link. Raises `ForeignKeyViolation` when there is no such user."""
    connection.execute(
        "insert into login_links (secret, user_id, is_admin, created_by, expires_at) values (%s, %s, %s, %s, %s)",
        [secret, user_id, is_admin, created_by, expires_at],
    )


def begin(connection: Connection, link: bytes, secret: bytes, *, now: datetime, expires_at: datetime) -> Session | None:
    """Use up a login link and begin a session; None for a link that is unknown, used or expired.

    Of two transactions with one link the second waits for the lock of its row, and then finds it used.
    """
    statement = f"""
        with used as (
            update login_links set used_at = %(now)s
            where secret = %(link)s and used_at is null and expires_at > %(now)s
            returning user_id, is_admin
        )
        insert into sessions (secret, user_id, is_admin, expires_at)
        select %(secret)s, user_id, is_admin, %(expires_at)s from used
        returning {_COLUMNS}
    """
    values = {"now": now, "link": link, "secret": secret, "expires_at": expires_at}
    return one(connection, Session, statement, values)


def is_used(connection: Connection, link: bytes) -> bool | None:
    """Whether a login link was used; None when it is unknown."""
    found = connection.execute("select used_at from login_links where secret = %s", [link]).fetchone()
    return None if found is None else found["used_at"] is not None


def find(connection: Connection, secret: bytes) -> Session | None:
    """The session with this secret, revoked and expired ones included."""
    return one(connection, Session, f"select {_COLUMNS} from sessions where secret = %s", [secret])


def with_ids(connection: Connection, session_ids: Sequence[UUID]) -> list[Session]:
    """The sessions with these ids, revoked and expired ones included."""
    return many(connection, Session, f"select {_COLUMNS} from sessions where id = any(%s)", [list(session_ids)])


def note_use(connection: Connection, session_id: UUID, now: datetime) -> None:
    """Note that the session was used, unless that was noted within the last minute."""
    connection.execute(
        """
        update sessions set last_used_at = %(now)s
        where id = %(session)s and (last_used_at is null or last_used_at < %(now)s - interval '1 minute')
        """,
        {"session": session_id, "now": now},
    )


def revoke(connection: Connection, user_id: UUID, session_id: UUID | None, now: datetime) -> list[Session]:
    """Revoke the open sessions of a user, or one of them; returns those that were open."""
    statement = f"""
        update sessions set revoked_at = %(now)s
        where user_id = %(user)s and (%(session)s::uuid is null or id = %(session)s)
            and revoked_at is null and expires_at > %(now)s
        returning {_COLUMNS}
    """
    return many(connection, Session, statement, {"now": now, "user": user_id, "session": session_id})
