"""Retention of what admits callers: sessions, links, tickets, keys and stored responses, once they have ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from posegen.database.connection import Database
from posegen.database.rows import changed

# Until then a late caller is told that the link has expired, and not that it is unknown.
AFTER_THE_END = timedelta(days=1)
RESPONSES = timedelta(days=7)
"""How long a client may repeat a request; also what the documentation promises."""
KEYS = timedelta(days=90)
"""Lines of the audit name keys; for so long a key can be looked up."""
_PAGE = 5_000

_STATEMENTS = (
    # Revoked sessions and share links go at the end that they would have had.
    (AFTER_THE_END, "delete from sessions where id in (select id from sessions where expires_at < %s limit %s)"),
    (
        AFTER_THE_END,
        "delete from login_links where secret in (select secret from login_links where expires_at < %s limit %s)",
    ),
    (
        AFTER_THE_END,
        "delete from stream_tickets where secret in (select secret from stream_tickets where expires_at < %s limit %s)",
    ),
    (AFTER_THE_END, "delete from share_links where id in (select id from share_links where expires_at < %s limit %s)"),
    (
        RESPONSES,
        """
        delete from answered_requests where (caller, key) in (
            select caller, key from answered_requests where created_at < %s limit %s)
        """,
    ),
    (
        KEYS,
        "delete from api_keys where id in (select id from api_keys where least(revoked_at, expires_at) < %s limit %s)",
    ),
)


def delete_ended_access(database: Database, now: datetime) -> int:
    """Delete what has ended for long enough, in pages; returns how many rows."""
    deleted = 0
    for age, statement in _STATEMENTS:
        page = _PAGE
        while page == _PAGE:
            with database.transaction() as connection:
                page = changed(connection, statement, [now - age, _PAGE])
            deleted += page
    return deleted
