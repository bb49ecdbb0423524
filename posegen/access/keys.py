"""Statements on API keys. Who may create and revoke which is decided in `service`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from posegen.access.callers import Caller, Kind, Scope, scopes_of
from posegen.access.credentials import KeyText
from posegen.database.connection import Connection
from posegen.database.rows import existing, many, one

_COLUMNS = "id, kind, user_id, name, scopes, rate, created_by, created_at, expires_at, revoked_at, last_used_at"


@dataclass(frozen=True)
class ApiKey:
    """A key without its secret. `rate`: requests a minute, None for the default; `last_used_at`: to the minute."""

    id: str
    kind: Kind
    user_id: UUID | None
    name: str
    scopes: list[str]
    rate: int | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))

    @property
    def credential(self) -> str:
        """How logs, the audit trail and rates name it."""
        return f"key:{self.id}"

    def caller(self) -> Caller:
        """Who calls with it."""
        scopes = scopes_of(self.kind, self.scopes)
        return Caller(self.credential, self.kind, self.user_id, scopes, self.rate, self.expires_at)


@dataclass(frozen=True)
class StoredKey(ApiKey):
    """A key with the SHA-256 of its secret."""

    secret: bytes


def insert(
    connection: Connection,
    text: KeyText,
    *,
    kind: Kind,
    user_id: UUID | None,
    name: str,
    scopes: Sequence[Scope],
    rate: int | None,
    expires_at: datetime | None,
    created_by: str,
) -> ApiKey:
    """Insert a key."""
    statement = f"""
        insert into api_keys (id, secret, kind, user_id, name, scopes, rate, expires_at, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}
    """
    values = [text.id, text.secret_sha256, kind, user_id, name, list(scopes), rate, expires_at, created_by]
    return existing(connection, ApiKey, statement, values)


def find(connection: Connection, key_id: str) -> StoredKey | None:
    """The key with this id, revoked and expired ones included."""
    return one(connection, StoredKey, f"select {_COLUMNS}, secret from api_keys where id = %s", [key_id])


def with_ids(connection: Connection, key_ids: Sequence[str]) -> list[ApiKey]:
    """The keys with these ids, revoked and expired ones included."""
    return many(connection, ApiKey, f"select {_COLUMNS} from api_keys where id = any(%s)", [list(key_ids)])


def note_use(connection: Connection, key_id: str, now: datetime) -> None:
    """Note that the key was used, unless that was noted within the last minute."""
    connection.execute(
        """
        update api_keys set last_used_at = %(now)s
        where id = %(key)s and (last_used_at is null or last_used_at < %(now)s - interval '1 minute')
        """,
        {"key": key_id, "now": now},
    )


def page(
    connection: Connection,
    *,
    kind: Kind | None,
    user_id: UUID | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[ApiKey]:
    """Keys, the latest first; only those of a kind and of a user where one is given.

    `after`: creation time and id of the last key of the page before.
    """
    before, key_id = after or (None, None)
    return many(
        connection,
        ApiKey,
        f"""
        select {_COLUMNS} from api_keys
        where (%(kind)s::text is null or kind = %(kind)s) and (%(user)s::uuid is null or user_id = %(user)s)
            and (%(before)s::timestamptz is null or (created_at, id) < (%(before)s, %(id)s))
        order by created_at desc, id desc limit %(limit)s
        """,
        {"kind": kind, "user": user_id, "before": before, "id": key_id, "limit": limit},
    )


def revoke(connection: Connection, key_id: str, now: datetime) -> ApiKey | None:
    """Revoke a key; None when it was revoked before."""
    statement = f"update api_keys set revoked_at = %s where id = %s and revoked_at is null returning {_COLUMNS}"
    return one(connection, ApiKey, statement, [now, key_id])
