"""Making designs: set, drawn, stored, verified, written down; and taking them away again, rows first.

How a design looks lives in `posegen.designs.drawing`, what may happen to it when, in `posegen.designs.work`.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from posegen.designs import requests as design_requests
from posegen.designs import rows as designs
from posegen.designs import work as lifecycle
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
from posegen.designs.work import DESIGNS, RenderedDesign, design_rule
from posegen.errors import DesignUnknown, LeaseLost, RequestRefused, StoreUnknown
from posegen.images.png import encode_png
from posegen.images.provenance import DigitalSource, Provenance, write_packet
from posegen.storage.keys import design_key, manifest_key, print_key
from posegen.storage.protocol import ObjectInfo, ObjectStore
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.outcomes import refuse
from posegen.work.queue import Lease
from posegen.work.working import Decision, give_back, settled

log = structlog.get_logger(__name__)

ASSET = "design_previews"
_CLEARED_AT_ONCE = 100


def make_design(studio: Studio, lease: Lease) -> None:
    """Render a design and publish it.

    Raises `RequestRefused` when it cannot be made, after it is written down as failed; `LeaseLost` when another worker
    owns it or it is gone; any other error after the design was put back, or given up.
    """
    began = time.perf_counter()
    stored: list[ObjectInfo] = []
    try:
        with (
            settled(
                studio.database,
                DESIGNS,
                lease,
                design_rule(studio.retry_rule),
                own=partial(_own_decision, studio, lease, stored),
            ),
            LeaseKeeper(studio.database, DESIGNS.queue, [lease], lease_seconds=studio.lease_seconds) as keeper,
        ):
            request = _request(studio, lease.id)
            rendered = _render_and_store(studio, request, stored)
            keeper.check()
            lifecycle.publish(studio.database, lease, rendered, store=studio.store.name)
            keeper.drop(lease)
    except LeaseLost:
        _clear_if_gone(studio, lease.id, stored)
        raise
    except Exception:
        raise
    except BaseException as interrupt:
        give_back(studio.database, DESIGNS, [lease], reason=type(interrupt).__name__)
        raise
    log.info(
        "design published",
        design=str(lease.id),
        render_ms=round((time.perf_counter() - began) * 1000),
        bytes=sum(each.size for each in stored),
        warnings=len(rendered.warnings),
    )


def delete_design(studio: Studio, design_id: UUID) -> None:
    """Take a design out of the tables, then its objects out of the store. Raises `DesignUnknown`.

    Whatever of the second step fails is done by the sensor's next look.
    """
    with studio.database.transaction() as connection:
        objects = designs.objects_of(connection, design_id)
        if not design_requests.delete_design(connection, design_id):
            raise DesignUnknown(design_id)
    for each in objects:
        studio.store_named(each.store).delete(each.key)
    studio.store.delete(_manifest_of(design_id))


def clear_deleted(studio: Studio) -> list[UUID]:
    """Delete what is left of deleted designs; returns their ids, so that their partitions can be deleted.

    What lies in a store that is not configured stays noted.
    """
    with studio.database.transaction() as connection:
        stores = _reachable(studio, designs.stores_with_deleted(connection))
        deleted = designs.lock_deleted(connection, list(stores), _CLEARED_AT_ONCE)
        for each in deleted:
            if each.store is not None:
                stores[each.store].delete(*each.keys)
                studio.store.delete(_manifest_of(each.design_id))
        designs.forget_deleted(connection, deleted)
    return list(dict.fromkeys(each.design_id for each in deleted))


def print_url(studio: Studio, design_id: UUID) -> str | None:
    """A URL that reads a design's print for an hour; None when it has none."""
    with studio.database.transaction() as connection:
        prints = [each for each in designs.objects_of(connection, design_id) if each.kind == "print"]
    return studio.store_named(prints[0].store).signed_get_url(prints[0].key) if prints else None


def gather_design(studio: Studio, design_id: UUID, folder: Path) -> list[Path]:
    """Copy the files of a published design into `folder`, each verified against its hash. Raises `StorageError`."""
    with studio.database.transaction() as connection:
        objects = designs.objects_of(connection, design_id)
    folder.mkdir(parents=True, exist_ok=True)
    gathered = []
    for each in objects:
        path = folder / f"{each.kind}{Path(each.key).suffix}"
        path.write_bytes(studio.read(each.store, each.key, each.sha256))
        gathered.append(path)
    return gathered


def design_manifest(studio: Studio, design_id: UUID) -> dict[str, Any]:
    """The design with keys and hashes of its objects; sizes in bytes and points. Raises `DesignUnknown`."""
    with studio.database.transaction() as connection:
        result = designs.result_of(connection, design_id)
        objects = designs.objects_of(connection, design_id)
    if result is None:
        raise DesignUnknown(design_id)
    return {
        "design": str(design_id),
        "status": result["status"],
        "error_code": result["error_code"],
        "error_detail": result["error_detail"],
        "warnings": result["warnings"],
        "product_type": result["product_type"],
        "font": result["font"],
        "size_used": result["size_used"],
        "objects": [
            {"kind": each.kind, "store": each.store, "key": each.key, "sha256": each.sha256, "size": each.size}
            for each in objects
        ],
    }


def _own_decision(studio: Studio, lease: Lease, stored: list[ObjectInfo], error: Exception) -> Decision | None:
    if not isinstance(error, RequestRefused):
        return None

    def decide() -> None:
        if refuse(studio.database, DESIGNS, lease, error):
            _delete(studio, stored)  # a refused design is never published

    return decide


def _request(studio: Studio, design_id: UUID) -> DesignRequest:
    with studio.database.transaction() as connection:
        request = designs.request_of(connection, design_id)
    if request is None:
        raise LeaseLost(f"Design {design_id} was deleted before it was rendered.")
    return request


def _render_and_store(studio: Studio, request: DesignRequest, stored: list[ObjectInfo]) -> RenderedDesign:
    """`stored`: takes every object as soon as it is in the store."""
    laid_out = lay_out(judge_design(request))
    packet = write_packet(
        Provenance(digital_source=DigitalSource.DRAWN, generator="Posegen, design", created=request.created_at)
    )

    def picture(kind: str, data: bytes, content_type: str) -> ObjectInfo:
        stored.append(studio.put_verified(lambda sha256: design_key(request.folder, kind, sha256), data, content_type))
        return stored[-1]

    drawn = draw_preview(laid_out)
    preview, thumbnail = encode_png(drawn, xmp=packet), encode_png(draw_thumbnail(drawn), xmp=packet)
    printed = _print_page(laid_out, packet) if request.print_file else None
    stored_preview = picture("preview", preview.data, preview.content_type)
    stored_thumbnail = picture("thumbnail", thumbnail.data, thumbnail.content_type)
    if printed is not None:
        page, content_type = printed
        stored.append(studio.put_verified(lambda sha256: print_key(request.folder, sha256), page, content_type))
    return RenderedDesign(
        preview=stored_preview,
        thumbnail=stored_thumbnail,
        printed=None if printed is None else stored[-1],
        size_used=round(laid_out.size, 2),
        warnings=laid_out.warnings,
    )


def _print_page(laid_out: LaidOutDesign, packet: bytes) -> tuple[bytes, str]:
    page = encode_page(
        draw_print(laid_out),
        dpi=PRINT_DPI,
        bleed=laid_out.design.product.bleed,
        title=" ".join(laid_out.design.text.split()),
        xmp=packet,
    )
    return page.data, page.content_type


def _reachable(studio: Studio, names: list[str]) -> dict[str, ObjectStore]:
    stores = {}
    for name in names:
        try:
            stores[name] = studio.store_named(name)
        except StoreUnknown as unknown:
            log.warning("deleted designs cannot be cleared", store=name, reason=str(unknown))
    return stores


def _manifest_of(design_id: UUID) -> str:
    return manifest_key(ASSET, str(design_id))


def _clear_if_gone(studio: Studio, design_id: UUID, stored: list[ObjectInfo]) -> None:
    """Delete what was stored for a design that was deleted meanwhile: its folder is never used again."""
    with studio.database.transaction() as connection:
        gone = designs.request_of(connection, design_id) is None
    if gone:
        _delete(studio, stored)


def _delete(studio: Studio, stored: list[ObjectInfo]) -> None:
    studio.store.delete(*(each.key for each in stored))
