"""Making designs: their text is set and drawn, the files are stored and verified, and the row is published.

How a design looks lives in `drawing`; its claims, leases and states in `work`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog

from posegen.designs import rows
from posegen.designs.drawing import (
    PRINT_DPI,
    LaidOutDesign,
    draw_preview,
    draw_print,
    draw_thumbnail,
    judge_design,
    lay_out,
)
from posegen.designs.print_page import encode_page
from posegen.designs.rows import DesignRequest
from posegen.designs.work import DESIGNS, RenderedDesign, design_rule, publish
from posegen.errors import LeaseLost, RequestRefused
from posegen.images.pixels import EncodedImage
from posegen.images.png import encode_png
from posegen.images.provenance import DigitalSource, Provenance, write_packet
from posegen.storage.keys import design_key, print_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio
from posegen.work.outcomes import refuse
from posegen.work.queue import Lease
from posegen.work.working import Decision, kept, settled

log = structlog.get_logger(__name__)


def make_design(studio: Studio, lease: Lease) -> None:
    """Render a design and publish it.

    Raises:
        RequestRefused: it cannot be made; the row has failed with this error.
        LeaseLost: another worker owns it, or it was deleted.
        Exception: any other error, after the row was put back or has failed.
    """
    began = time.perf_counter()
    stored: list[ObjectInfo] = []
    try:
        with (
            kept(studio.database, DESIGNS, [lease], lease_seconds=studio.lease_seconds) as keeper,
            settled(
                studio.database,
                DESIGNS,
                lease,
                design_rule(studio.retry_rule),
                own=partial(_own_decision, studio, lease, stored),
            ),
        ):
            request = _request(studio, lease.id)
            rendered = _render_and_store(studio, request, stored)
            keeper.check()
            publish(studio.database, lease, rendered, store=studio.store.name)
            keeper.drop(lease)
    except LeaseLost:
        _clear_if_gone(studio, lease.id, stored)
        raise
    log.info(
        "design published",
        design=str(lease.id),
        render_ms=round((time.perf_counter() - began) * 1000),
        bytes=sum(each.size for each in stored),
        warnings=len(rendered.warnings),
    )


def _own_decision(studio: Studio, lease: Lease, stored: list[ObjectInfo], error: Exception) -> Decision | None:
    if not isinstance(error, RequestRefused):
        return None

    def decide() -> None:
        if refuse(studio.database, DESIGNS, lease, error):
            _delete(studio, stored)  # a refused design is never published

    return decide


def _request(studio: Studio, design_id: UUID) -> DesignRequest:
    with studio.database.transaction() as connection:
        request = rows.request_of(connection, design_id)
    if request is None:
        raise LeaseLost(f"Design {design_id} was deleted before it was rendered.")
    return request


def _render_and_store(studio: Studio, request: DesignRequest, stored: list[ObjectInfo]) -> RenderedDesign:
    """`stored`: each object is appended as soon as it is in the store."""
    laid_out = lay_out(judge_design(request))
    packet = write_packet(
        Provenance(digital_source=DigitalSource.DRAWN, generator="Posegen, design", created=request.created_at)
    )
    drawn = draw_preview(laid_out)
    preview, thumbnail = encode_png(drawn, xmp=packet), encode_png(draw_thumbnail(drawn), xmp=packet)
    page = _print_page(laid_out, packet) if request.print_file else None

    def put(file: EncodedImage, key_for: Callable[[str], str]) -> ObjectInfo:
        stored.append(studio.put_verified(key_for, file.data, file.content_type))
        return stored[-1]

    return RenderedDesign(
        preview=put(preview, partial(design_key, request.folder, "preview")),
        thumbnail=put(thumbnail, partial(design_key, request.folder, "thumbnail")),
        printed=None if page is None else put(page, partial(print_key, request.folder)),
        size_used=round(laid_out.size, 2),
        warnings=laid_out.warnings,
    )


def _print_page(laid_out: LaidOutDesign, packet: bytes) -> EncodedImage:
    return encode_page(
        draw_print(laid_out),
        dpi=PRINT_DPI,
        bleed=laid_out.design.product.bleed,
        title=" ".join(laid_out.design.text.split()),
        xmp=packet,
    )


def _clear_if_gone(studio: Studio, design_id: UUID, stored: list[ObjectInfo]) -> None:
    """Delete the objects of a design that was deleted meanwhile: its folder is never used again."""
    with studio.database.transaction() as connection:
        gone = rows.request_of(connection, design_id) is None
    if gone:
        _delete(studio, stored)


def _delete(studio: Studio, stored: list[ObjectInfo]) -> None:
    studio.store.delete(*(each.key for each in stored))
