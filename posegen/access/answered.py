"""Responses by Idempotency-Key, for requests that create or move something and have no key of their own.

Both functions run in the transaction of what the response describes: it is stored with that, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from posegen.access.callers import Caller
from posegen.database.connection import Connection
from posegen.database.rows import one
from posegen.errors import AccessInvalid, IdempotencyConflict

LONGEST_KEY = 200
_SECRET = "secret"


@dataclass(frozen=True)
class StoredResponse:
    """A response as it was sent first. `status`: of HTTP; `response`: its body."""

    status: int
    response: Any


@dataclass(frozen=True)
class _Answered(StoredResponse):
    body_sha256: bytes


def answered(connection: Connection, caller: Caller, key: str, body_sha256: bytes) -> StoredResponse | None:
    """The response that this caller got for this key; None when the key is new, and the request is to be done.

    A second request with the same key waits here until the transaction of the first has ended. An insert with
    `on conflict` would find the other request only after its work was done twice.

    Args:
        connection: in the transaction that does the request's work.
        caller: whose keys are looked at.
        key: 1 to 200 printable characters, chosen by the caller.
        body_sha256: SHA-256 of method, path and body.

    Raises:
        AccessInvalid: the key is too long, or has control characters.
        IdempotencyConflict: the key came with another body.
    """
    if not (1 <= len(key) <= LONGEST_KEY and key.isprintable() and key.isascii()):
        raise AccessInvalid("Idempotency-Key", f"write 1 to {LONGEST_KEY} printable ASCII characters.")
    names = [caller.credential, key]
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('posegen answer to ' || %s || ' ' || %s, 0))", names
    )
    statement = "select status, response, body_sha256 from answered_requests where caller = %s and key = %s"
    found = one(connection, _Answered, statement, names)
    if found is None:
        return None
    if found.body_sha256 != body_sha256:
        raise IdempotencyConflict(f"The idempotency key {key!r} came with another request before: use another key.")
    return StoredResponse(found.status, found.response)


def remember(connection: Connection, caller: Caller, key: str, body_sha256: bytes, response: StoredResponse) -> None:
    """Store the response to a request that `answered` did not know.

    The member `secret` of a response is stored as null: secrets are shown once, and a replay does not show them.
    """
    body = response.response
    if isinstance(body, Mapping) and _SECRET in body:
        body = {**body, _SECRET: None}
    connection.execute(
        "insert into answered_requests (caller, key, body_sha256, status, response) values (%s, %s, %s, %s, %s)",
        [caller.credential, key, body_sha256, response.status, Jsonb(body)],
    )
