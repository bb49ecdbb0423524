"""Making variants: a stored picture is read, verified, decoded, encoded and stored again; one request at a time.

A request that cannot be made fails alone; one that met a passing error waits for another attempt. The files are those
of `encoding`; claims, leases and the final transaction are in `work`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from uuid import UUID

import structlog

from posegen.database.conflicts import again_after_conflict
from posegen.database.failures import is_lost
from posegen.error_codes import ErrorCode
from posegen.errors import (
    ImageInvalid,
    InvalidKey,
    LeaseLost,
    ObjectCorrupt,
    ObjectMissing,
    RequestRefused,
    StorageError,
)
from posegen.graphemes import shorten
from posegen.images.pixels import Decode, EncodedImage
from posegen.images.provenance import carried_packet
from posegen.storage.keys import is_private_picture, variant_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio
from posegen.variants import rows, work
from posegen.variants.encoding import Variants, encode_variants
from posegen.variants.rows import SourcePicture
from posegen.variants.work import VARIANTS
from posegen.work.queue import Lease
from posegen.work.working import kept, settled

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class VariantsMade:
    """How the requests of a batch ended. `waiting`: they are tried again; `lost`: another worker owns them."""

    completed: int = 0
    failed: int = 0
    waiting: int = 0
    lost: int = 0


def make_variants(studio: Studio, batch: UUID, decode: Decode, *, run_id: str) -> VariantsMade:
    """Make the variants of all requests of a batch that are still claimed.

    An interrupt, or a lost database, ends it; the remaining requests are put back.

    Args:
        studio: what the variants are made with.
        batch: the requests that were claimed for this run.
        decode: returns the pixels of a file.
        run_id: the run of Dagster, or a name for the process that takes its place.
    """
    leases = work.begin(
        studio.database,
        batch,
        run_id=run_id,
        lease_seconds=studio.lease_seconds,
        worker_home=studio.hold_lock(run_id),
    )
    made = VariantsMade()
    with kept(studio.database, VARIANTS, leases, lease_seconds=studio.lease_seconds) as keeper:
        for index, lease in enumerate(leases):
            outcome = _make_one(studio, leases[index:], decode)
            keeper.drop(lease)
            made = replace(made, **{outcome: getattr(made, outcome) + 1})
    return made


def _make_one(studio: Studio, leases: Sequence[Lease], decode: Decode) -> str:
    """The field of `VariantsMade` that the first request counts for. `leases`: its own, and those that follow."""
    lease, bound = leases[0], log.bind(request=str(leases[0].id))
    try:
        _note_progress(studio, leases)
        with settled(studio.database, VARIANTS, lease, studio.retry_rule):
            _make_and_store(studio, lease, decode)
    except LeaseLost:
        bound.warning("lease lost")
        return "lost"
    except RequestRefused as refused:
        bound.warning("variants not made", error_code=refused.code, reason=refused.detail)
        return "failed"
    except Exception as error:  # one request must not stop the others
        if is_lost(error):
            raise
        bound.warning("variants not made", reason=str(error), exc_info=not isinstance(error, StorageError))
        return "waiting" if _waits(studio, lease) else "failed"
    bound.info("variants stored")
    return "completed"


@again_after_conflict
def _note_progress(studio: Studio, leases: Sequence[Lease]) -> None:
    """Note progress of all that is still to come, or the last of a batch would count as stalled."""
    with studio.database.transaction() as connection:
        VARIANTS.queue.note_progress(connection, leases)


def _waits(studio: Studio, lease: Lease) -> bool:
    with studio.database.transaction() as connection:
        progress = VARIANTS.queue.progress_of(connection, lease.id)
    return progress is not None and progress.status == VARIANTS.queue.waiting


def _make_and_store(studio: Studio, lease: Lease, decode: Decode) -> None:
    """Raises `RequestRefused` for what no further attempt can make."""
    user_id = work.user_of(studio.database, lease)
    with studio.database.transaction() as connection:
        wish = rows.wish_of(connection, lease.id)
    source = _source(studio, user_id, wish.source)
    encoded = _encode(studio, source, decode)
    folder = wish.tool, user_id, lease.id
    try:
        # What the store damages while it is written is put again by the next attempt: no reason to refuse.
        normal, high_quality = (
            _put(studio, folder, image, private=is_private_picture(source.key))
            for image in (encoded.normal, encoded.high_quality)
        )
    except InvalidKey as unusable:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, str(unusable)) from unusable
    work.complete(
        studio.database, lease, user_id, (normal, high_quality), encoded.normal, source=source, store=studio.store.name
    )


def _encode(studio: Studio, source: SourcePicture, decode: Decode) -> Variants:
    """Raises `RequestRefused` when the source cannot be read, or is no picture."""
    try:
        file = studio.read(source.store, source.key, source.sha256)
        packet = carried_packet(file, is_ours=source.generation_id is not None)
        return encode_variants(decode(file, PurePosixPath(source.key).suffix), xmp=packet)
    except ImageInvalid as invalid:
        raise RequestRefused(ErrorCode.IMAGE_INVALID, str(invalid)) from invalid
    except (ObjectMissing, ObjectCorrupt) as gone:
        raise RequestRefused(ErrorCode.STORAGE_FAILED, str(gone)) from gone


def _source(studio: Studio, user_id: UUID, asked_for: str) -> SourcePicture:
    with studio.database.transaction() as connection:
        source = rows.source_picture(connection, user_id, asked_for)
    if source is None or not source.content_type.startswith("image/"):
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"This user has no stored picture {shorten(asked_for, 200)!r}: give a picture's URL as the views have it, "
            "or its key.",
        )
    return source


def _put(studio: Studio, folder: tuple[str, UUID, UUID], image: EncodedImage, *, private: bool) -> ObjectInfo:
    return studio.put_verified(
        lambda sha256: variant_key(*folder, sha256, content_type=image.content_type, private=private),
        image.data,
        image.content_type,
    )
