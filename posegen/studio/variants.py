"""Making the variants of stored pictures: read and verify, decode, encode, store, write down; one request at a time.

What cannot be made fails alone; what may pass is tried again. The pixels are `posegen.images.variants`' business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from uuid import UUID

import psycopg
import structlog

from posegen.database import variant_sources, variants
from posegen.database.failures import is_lost
from posegen.database.variant_sources import SourcePicture
from posegen.database.variants import ImageRequest
from posegen.error_codes import ErrorCode
from posegen.errors import (
    DatabaseUnusable,
    ImageInvalid,
    InvalidKey,
    LeaseLost,
    ObjectCorrupt,
    ObjectMissing,
    RequestRefused,
    StorageError,
)
from posegen.graphemes import shorten
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.variants import encode_variants
from posegen.storage.keys import variant_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import variant_requests
from posegen.studio.provenance import carried_packet
from posegen.studio.studio import Studio

log = structlog.get_logger(__name__)

Decode = Callable[[bytes, str], Pixels]
"""Pixels of a file and its suffix: `DecoderPool.decode`, for the file may have come from outside."""


@dataclass(frozen=True)
class VariantsMade:
    """What became of a claim. `waiting`: requests that will be tried again; `lost`: that others have by now."""

    completed: int = 0
    failed: int = 0
    waiting: int = 0
    lost: int = 0


def make_variants(studio: Studio, claim: UUID, decode: Decode) -> VariantsMade:
    """Make everything that is left of a claim.

    An interrupt, or a database that does not answer, ends it; what was not made is given back.
    """
    made = VariantsMade()
    try:
        for request in variant_requests.begin(studio.database, claim, lease_seconds=studio.lease_seconds):
            outcome = _make_one(studio, claim, request, decode)
            made = replace(made, **{outcome: getattr(made, outcome) + 1})
    except BaseException:
        _give_back(studio, claim)
        raise
    return made


def _give_back(studio: Studio, claim: UUID) -> None:
    try:
        released = variant_requests.release(studio.database, claim)
    except (psycopg.Error, DatabaseUnusable):  # the leases run out by themselves; the error has to go on
        log.warning("stopped, and the claim could not be given back", claim=str(claim))
    else:
        log.info("stopped", claim=str(claim), released=released)


def _make_one(studio: Studio, claim: UUID, request: ImageRequest, decode: Decode) -> str:
    """The field of `VariantsMade` that this request counts for."""
    bound = log.bind(request=str(request.id))
    try:
        variant_requests.keep(studio.database, claim, request, lease_seconds=studio.lease_seconds)
        code, detail, may_pass = _attempt(studio, claim, request, decode)
        if code is None:
            bound.info("variants stored")
            return "completed"
        bound.warning("variants not made", error_code=code, reason=detail)
        if may_pass and variant_requests.try_again(studio.database, claim, request, studio.retry_rule, code, detail):
            return "waiting"
        if not may_pass:
            variant_requests.fail(studio.database, claim, request, code, detail)
    except LeaseLost:
        bound.warning("lease lost")
        return "lost"
    return "failed"


def _attempt(studio: Studio, claim: UUID, request: ImageRequest, decode: Decode) -> tuple[ErrorCode | None, str, bool]:
    """None when the variants are made; otherwise why not, and whether another attempt may help."""
    try:
        _make_and_store(studio, claim, request, decode)
    except RequestRefused as refused:
        return refused.code, refused.detail, False
    except ImageInvalid as invalid:
        return ErrorCode.IMAGE_INVALID, str(invalid), False
    except InvalidKey as unusable:
        return ErrorCode.INVALID_REQUEST, str(unusable), False
    except (ObjectMissing, ObjectCorrupt) as gone:
        return ErrorCode.STORAGE_FAILED, str(gone), False
    except StorageError as silent:
        return ErrorCode.STORAGE_FAILED, str(silent), True
    except LeaseLost:
        raise
    except Exception as defect:  # whatever one request meets must not stop the others
        if is_lost(defect):
            raise
        log.exception("variants met a defect", request=str(request.id))
        return ErrorCode.POISONED, f"{type(defect).__name__}: {defect}", True
    return None, "", False


def _make_and_store(studio: Studio, claim: UUID, request: ImageRequest, decode: Decode) -> None:
    variant_requests.check_user(studio.database, request)
    with studio.database.transaction() as connection:
        wish = variants.wish_of(connection, request.id)
    source = _source(studio, request.user_id, wish.source)
    file = studio.read(source.store, source.key, source.sha256)
    packet = carried_packet(file, is_ours=source.generation_id is not None)
    encoded = encode_variants(decode(file, PurePosixPath(source.key).suffix), xmp=packet)
    normal, high_quality = (_put(studio, request, wish.tool, image) for image in (encoded.normal, encoded.high_quality))
    variant_requests.complete(
        studio.database, claim, request, (normal, high_quality), encoded.normal, source=source, store=studio.store.name
    )


def _source(studio: Studio, user_id: UUID, asked_for: str) -> SourcePicture:
    with studio.database.transaction() as connection:
        source = variant_sources.source_picture(connection, user_id, asked_for)
    if source is None or not source.content_type.startswith("image/"):
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"This user has no stored picture {shorten(asked_for, 200)!r}: give a picture's URL as the views have it, "
            "or its key.",
        )
    return source


def _put(studio: Studio, request: ImageRequest, tool: str, image: EncodedImage) -> ObjectInfo:
    return studio.put_verified(
        lambda sha256: variant_key(tool, request.user_id, request.id, sha256, content_type=image.content_type),
        image.data,
        image.content_type,
    )
