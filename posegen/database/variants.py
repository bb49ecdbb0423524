"""Statements about variants: what was asked for, who makes it, and what became of it. One row is one image request.

Functions take an open transaction; which of them belong together is decided in `posegen.studio.variant_requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from posegen.database.connection import Connection
from posegen.database.texts import storable
from posegen.database.variant_sources import SourcePicture
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused

_LOST: LiteralString = """
    update image_variants v set claim = null, lease_expires_at = null, lost_leases = lost_leases + 1,
        status = case when lost_leases + 1 < %(most)s then 'submitted' else 'failed' end,
        error_code = case when lost_leases + 1 < %(most)s then null else 'poisoned' end,
        error_detail = 'the worker was lost that made these, or never began',
        finished_at = case when lost_leases + 1 < %(most)s then null else now() end
    from lost where v.id = lost.id
"""

_RANGES = {
    "tool_is_a_name": "the tool must be a lower-case letter, followed by at most 62 letters, digits, '-' and '_'",
    "source_length": "the source must be 1 to 2,000 characters long",
}


@dataclass(frozen=True)
class ImageRequest:
    """A request that is being worked on. `attempts`: errors that it has met before."""

    id: UUID
    user_id: UUID
    attempts: int


@dataclass(frozen=True)
class Wish:
    """What a request asks for: variants of `source`, a key or a URL, for `tool`."""

    tool: str
    source: str


@dataclass(frozen=True)
class StoredVariant:
    """An object of finished variants."""

    store: str
    key: str
    sha256: str


@dataclass(frozen=True)
class VariantResult:
    """What became of a request, as its customer's backend sees it. Sizes in bytes and pixels."""

    request_id: UUID
    user_id: UUID
    tool: str
    source: str
    status: str
    error_code: str | None
    error_detail: str | None
    normal_url: str | None
    high_quality_url: str | None
    width: int | None
    height: int | None
    normal_bytes: int | None
    high_quality_bytes: int | None
    created_at: datetime
    finished_at: datetime | None
    deleted_at: datetime | None


def insert_image_request(connection: Connection, user_id: UUID, tool: str, source: str) -> UUID:
    """Ask for variants. Raises `RequestRefused` (invalid_request) for a tool or a source that the database refuses."""
    try:
        row = connection.execute(
            "insert into image_requests (user_id, tool, source) values (%s, %s, %s) returning id",
            [user_id, tool, source],
        ).fetchone()
    except (psycopg.errors.CheckViolation, psycopg.DataError) as refused:
        said = refused.diag.message_primary or str(refused)
        raise RequestRefused(ErrorCode.INVALID_REQUEST, _RANGES.get(refused.diag.constraint_name or "", said)) from None
    assert row is not None, "an insert answers its row"
    return UUID(str(row["id"]))


def claim_waiting(connection: Connection, claim: UUID, limit: int) -> int:
    """Claim what may start, the oldest of each user first: nobody waits for another's flood. Answers how many."""
    return connection.execute(
        """
        with next as (
            select id from image_variants where id in (
                select id from (
                    select id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
                    from image_variants where status = 'submitted' and not_before <= now()
                ) waiting
                order by nth, submitted_at, id limit %s
            ) and status = 'submitted' for update skip locked
        )
        update image_variants v set status = 'dispatched', claim = %s, dispatched_at = now()
        from next where v.id = next.id
        """,
        [limit, claim],
    ).rowcount


def claim_one(connection: Connection, claim: UUID, request_id: UUID) -> bool:
    """Claim this request if nobody else has."""
    return (
        connection.execute(
            """
            update image_variants set status = 'dispatched', claim = %s, dispatched_at = now()
            where id = %s and status = 'submitted'
            """,
            [claim, request_id],
        ).rowcount
        == 1
    )


def lock_claiming(connection: Connection) -> None:
    """Let one claimer at a time count what is under way; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext('posegen variants'))")


def count_claims(connection: Connection) -> int:
    """Claims that are under way."""
    row = connection.execute(
        "select count(distinct claim) as claims from image_variants where status in ('dispatched', 'running')"
    ).fetchone()
    return int(row["claims"]) if row else 0


def claims_without_run(connection: Connection, *, older_than_seconds: float) -> list[UUID]:
    """Claims whose run has not begun for a while: it may never have been launched."""
    rows = connection.execute(
        """
        select claim from image_variants where status = 'dispatched'
        group by claim having max(dispatched_at) < now() - make_interval(secs => %s) order by max(dispatched_at)
        """,
        [older_than_seconds],
    )
    return [row["claim"] for row in rows]


def begin(connection: Connection, claim: UUID, *, lease_seconds: float) -> list[ImageRequest]:
    """Start to work on what was claimed; what is left of the claim, the oldest first.

    What clients wrote is read one by one, by `wish_of`.
    """
    with connection.cursor(row_factory=class_row(ImageRequest)) as cursor:
        return cursor.execute(
            """
            with begun as (
                update image_variants v set status = 'running', lease_expires_at = now() + make_interval(secs => %s)
                where v.claim = %s and v.status = 'dispatched'
                returning v.id, v.user_id, v.attempts, v.submitted_at
            )
            select id, user_id, attempts from begun order by submitted_at, id
            """,
            [lease_seconds, claim],
        ).fetchall()


def wish_of(connection: Connection, request_id: UUID) -> Wish:
    """What a request asks for."""
    with connection.cursor(row_factory=class_row(Wish)) as cursor:
        found = cursor.execute("select tool, source from image_requests where id = %s", [request_id]).fetchone()
    assert found is not None, "a request never goes"
    return found


def renew(connection: Connection, claim: UUID, request_id: UUID, *, lease_seconds: float) -> bool:
    """Prolong the lease on all that is left of the claim; False when this request is no longer part of it."""
    return any(
        row["id"] == request_id
        for row in connection.execute(
            """
            update image_variants set lease_expires_at = now() + make_interval(secs => %s)
            where claim = %s and status = 'running' returning id
            """,
            [lease_seconds, claim],
        )
    )


def complete(
    connection: Connection,
    claim: UUID,
    request_id: UUID,
    *,
    source: SourcePicture,
    normal_object: int,
    high_quality_object: int,
    width: int,
    height: int,
) -> bool:
    """Write down finished variants and what they are made of; False when the request is no longer ours."""
    return (
        connection.execute(
            """
            update image_variants set status = 'completed', normal_object = %s, high_quality_object = %s, width = %s,
                height = %s, pose_id = %s, design_id = %s, upload_id = %s, variant_id = %s, claim = null,
                lease_expires_at = null, finished_at = now()
            where id = %s and claim = %s and status = 'running'
            """,
            [
                *(normal_object, high_quality_object, width, height),
                *(source.pose_id, source.design_id, source.upload_id, source.variant_id),
                *(request_id, claim),
            ],
        ).rowcount
        == 1
    )


def fail(connection: Connection, claim: UUID, request_id: UUID, *, code: ErrorCode, detail: str) -> bool:
    """Write down that variants cannot be made; False when the request is no longer ours."""
    return (
        connection.execute(
            """
            update image_variants set status = 'failed', error_code = %s, error_detail = %s, claim = null,
                lease_expires_at = null, attempts = attempts + 1, finished_at = now()
            where id = %s and claim = %s and status = 'running'
            """,
            [code, storable(detail), request_id, claim],
        ).rowcount
        == 1
    )


def put_back(connection: Connection, claim: UUID, request_id: UUID, *, detail: str, wait_seconds: float) -> bool:
    """Let a request wait for another attempt after an error; False when it is no longer ours."""
    return (
        connection.execute(
            """
            update image_variants set status = 'submitted', claim = null, lease_expires_at = null,
                attempts = attempts + 1, error_detail = %s, not_before = now() + make_interval(secs => %s)
            where id = %s and claim = %s and status = 'running'
            """,
            [storable(detail), wait_seconds, request_id, claim],
        ).rowcount
        == 1
    )


def release(connection: Connection, claim: UUID) -> int:
    """Let all that is left of a claim wait again, at no attempt; answers how many."""
    return connection.execute(
        """
        update image_variants set status = 'submitted', claim = null, lease_expires_at = null
        where claim = %s and status in ('dispatched', 'running')
        """,
        [claim],
    ).rowcount


def sweep_expired(connection: Connection, *, most_lost_leases: int) -> int:
    """Let what lost its worker wait again, or give it up after so many times; answers how many."""
    return connection.execute(
        "with lost as (select id from image_variants where status = 'running' and lease_expires_at < now()"
        " for update skip locked)" + _LOST,
        {"most": most_lost_leases},
    ).rowcount


def lose_claim(connection: Connection, claim: UUID, *, most_lost_leases: int) -> int:
    """The same for a claim whose run has ended before it began; answers how many."""
    return connection.execute(
        "with lost as (select id from image_variants where status = 'dispatched' and claim = %(claim)s for update)"
        + _LOST,
        {"most": most_lost_leases, "claim": claim},
    ).rowcount


def result_of(connection: Connection, request_id: UUID) -> VariantResult | None:
    """What became of a request, or None when there is none."""
    with connection.cursor(row_factory=class_row(VariantResult)) as cursor:
        return cursor.execute("select * from variant_results where request_id = %s", [request_id]).fetchone()


def delete(connection: Connection, requests: Sequence[UUID], *, actor: str) -> int:
    """Delete variants and what was made of them, for good; returns how many of these there were."""
    row = connection.execute("select delete_variants(%s, %s) as deleted", [list(requests), actor]).fetchone()
    assert row is not None, "a function returns a row"
    return int(row["deleted"])


def stored_variants(connection: Connection, request_id: UUID) -> list[StoredVariant]:
    """The objects of finished variants: normal and high quality."""
    with connection.cursor(row_factory=class_row(StoredVariant)) as cursor:
        return cursor.execute(
            """
            select o.store, o.key, o.sha256
            from image_variants v join objects o on o.id in (v.normal_object, v.high_quality_object)
            where v.id = %s order by o.id = v.high_quality_object
            """,
            [request_id],
        ).fetchall()
