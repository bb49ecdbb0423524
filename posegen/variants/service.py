"""What customers and operators do with image variants, for every door: the command, Dagster, and HTTP.

A door calls these functions and shows what they return; it decides nothing itself. How variants are made lives in
`making`, the statements on their tables in `rows`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from uuid import UUID

from posegen.database.connection import Connection, Database
from posegen.database.keyset import Place
from posegen.error_codes import ErrorCode
from posegen.errors import ImageRequestUnknown, NoVariants, RequestRefused
from posegen.images.decoding.pool import DecoderPool
from posegen.objects.service import PlacedFile
from posegen.studio import Studio
from posegen.variants import rows
from posegen.variants.making import VariantsMade, make_variants
from posegen.variants.work import claim_batch, claim_request
from posegen.work.in_process import do_here

_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class VariantResult:
    """An image request as the view `variant_results` has it. Sizes are in bytes and pixels."""

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


def submit(
    database: Database,
    source: str,
    *,
    tool: str,
    user_id: UUID | None,
    before_commit: Callable[[UUID], object] = lambda _: None,
) -> UUID:
    """Store an image request; it waits for the next tick.

    Args:
        database: where requests are stored.
        source: a stored picture: its URL, its key, or the id of a pose.
        tool: what asks; it becomes part of the keys.
        user_id: the user who asks; None for the owner of the picture.
        before_commit: called with the id of the request before it is stored for good: a connection that breaks in the
            commit leaves open whether it is.

    Returns:
        The id of the request.

    Raises:
        RequestRefused: the picture has no owner and no user is given, or the database refuses a value
            (invalid_request); nothing is stored.
    """
    with database.transaction() as connection:
        picture = _key_of(connection, source)
        owner = user_id or rows.owner_of(connection, picture)
        if owner is None:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"{source!r} belongs to no user: give its URL, its key or the id of a pose, and --user for a picture "
                "without an owner.",
            )
        request_id = rows.insert(connection, owner, tool, picture)
        before_commit(request_id)
    return request_id


def result(database: Database, request_id: UUID, *, user_id: UUID | None = None) -> VariantResult:
    """An image request as it is now.

    Args:
        database: where the request is.
        request_id: the request.
        user_id: whose it has to be; None for any user's.

    Raises:
        ImageRequestUnknown: there is no such request, or it belongs to another user.
    """
    with database.transaction() as connection:
        found = rows.result_of(connection, VariantResult, request_id)
    if found is None or user_id not in (None, found.user_id):
        raise ImageRequestUnknown(request_id)
    return found


def results(
    database: Database,
    *,
    limit: int,
    after: Place | None = None,
    user_id: UUID | None = None,
    status: str | None = None,
) -> list[VariantResult]:
    """A page of image requests, the newest first.

    Args:
        database: where requests are.
        limit: requests on a page.
        after: `created_at` and id of the last request of the page before; None for the first page.
        user_id: only those of this user.
        status: only those with this status.

    Returns:
        At most `limit + 1` requests: the last one tells that there is another page.
    """
    with database.transaction() as connection:
        return rows.results(connection, VariantResult, user_id=user_id, status=status, limit=limit, after=after)


def result_at_end(database: Database, request_id: UUID, *, seconds: float) -> VariantResult:
    """The request when it has ended, or as it is when the time is over.

    Args:
        database: where the request is.
        request_id: the request.
        seconds: how long to wait for its end.

    Raises:
        ImageRequestUnknown: there is no such request.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = result(database, request_id)
        if found.finished_at is not None or time.monotonic() > deadline:
            return found
        time.sleep(_LOOK_SECONDS)


def make_here(studio: Studio, request_id: UUID) -> None:
    """Make the variants of a waiting request in this process; does nothing when another process has claimed it."""
    do_here(
        lambda: claim_request(studio.database, request_id),
        lambda claim, run_id: make_batch(studio, claim.batch, run_id=run_id),
        program="posegen variants",
    )


def make_batch(studio: Studio, batch: UUID | None, *, run_id: str) -> VariantsMade:
    """Make the variants of a batch.

    Args:
        studio: what variants are made with.
        batch: what the run was launched for; None for a run that was started by hand, which claims what waits.
        run_id: the run of Dagster, or a name for the process that takes its place.
    """
    if batch is None:
        batch = next((claim.batch for claim in claim_batch(studio.database)), None)
    if batch is None:
        return VariantsMade()
    with DecoderPool.of_our_own() as decoders:
        return make_variants(studio, batch, decoders.decode, run_id=run_id)


def placed_files(database: Database, requests: Sequence[UUID]) -> list[PlacedFile]:
    """Where finished variants lie, for signing; none for other requests."""
    with database.transaction() as connection:
        return rows.placed_files(connection, requests)


def download(studio: Studio, request_id: UUID, folder: Path) -> list[Path]:
    """Copy the files of a completed request into `folder`, each verified against its hash. Raises `StorageError`."""
    with studio.database.transaction() as connection:
        files = rows.stored_variants(connection, request_id)
    folder.mkdir(parents=True, exist_ok=True)
    copied = []
    for name, file in zip(("normal", "high-quality"), files, strict=True):
        path = folder / f"{request_id}-{name}{PurePosixPath(file.key).suffix}"
        path.write_bytes(studio.read(file.store, file.key, file.sha256))
        copied.append(path)
    return copied


def delete(database: Database, requests: Sequence[UUID], *, actor: str, user_id: UUID | None = None) -> int:
    """Delete the variants of image requests for good, and the variants that were made of them.

    Their objects are deleted from the store by the next clean-up.

    Args:
        database: where the requests are.
        requests: their ids.
        actor: who asked for it, for the audit trail.
        user_id: requests of others are left out; None for any user's.

    Returns:
        How many of these requests had variants.

    Raises:
        NoVariants: none of them had any.
    """
    with database.transaction() as connection:
        deleted = rows.delete(connection, requests, user_id=user_id, actor=actor)
    if not deleted:
        raise NoVariants(requests)
    return deleted


def _key_of(connection: Connection, source: str) -> str:
    """The key of a pose's picture, where the source is the id of a pose; otherwise the source itself."""
    try:
        return rows.key_of_pose(connection, UUID(source)) or source
    except ValueError:
        return source
