"""Statements on stream tickets: what a page of another origin opens one stream with, instead of a credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.rows import value


@dataclass(frozen=True)
class Followed:
    """What a ticket lets its holder follow: one generation, all of a user, or with neither all that its maker sees."""

    generation_id: UUID | None = None
    user_id: UUID | None = None


@dataclass(frozen=True)
class Ticket:
    """A stored ticket. `credential`: of the caller that made it."""

    credential: str
    followed: Followed


def insert(connection: Connection, secret: bytes, ticket: Ticket, *, expires_at: datetime) -> None:
    """Insert a ticket."""
    names = {"generation": ticket.followed.generation_id, "user": ticket.followed.user_id}
    caller = {"credential": ticket.credential, **{name: str(each) for name, each in names.items() if each}}
    connection.execute(
        "insert into stream_tickets (secret, caller, expires_at) values (%s, %s, %s)",
        [secret, Jsonb(caller), expires_at],
    )


def use(connection: Connection, secret: bytes, now: datetime) -> Ticket | None:
    """Use up a ticket; None for one that is unknown, used or expired. Of two at once, one gets it."""
    statement = """
        update stream_tickets set used_at = %(now)s
        where secret = %(secret)s and used_at is null and expires_at > %(now)s
        returning caller
    """
    caller = value(connection, statement, {"now": now, "secret": secret})
    if caller is None:
        return None
    generation, user = (caller.get(name) for name in ("generation", "user"))
    return Ticket(caller["credential"], Followed(generation and UUID(generation), user and UUID(user)))


def is_used(connection: Connection, secret: bytes) -> bool | None:
    """Whether a ticket was used; None when it is unknown."""
    found = connection.execute("select used_at from stream_tickets where secret = %s", [secret]).fetchone()
    return None if found is None else found["used_at"] is not None
