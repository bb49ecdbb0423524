"""Metadata that people look at: counts, durations by phase, bytes, credits, and the picture."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import dagster as dg

from posegen.generations import service
from posegen.generations.calling.listing import ListedCall
from posegen.generations.making.contact_sheets import Sheet
from posegen.generations.making.manifests import Manifest
from posegen.storage.traffic import Traffic
from posegen.studio import Studio

Metadata = dict[str, dg.MetadataValue]

_MOST_CALLS = 1000


def pose_metadata(studio: Studio, manifest: Manifest, sheet: Sheet | None) -> Metadata:
    """Of the asset `generated_poses`, with its contact sheet."""
    poses = manifest["poses"]
    metadata: Metadata = {
        "poses": dg.MetadataValue.text(f"{len(poses)} of {manifest['asked']}, {manifest['failed']} failed"),
        "credits captured": dg.MetadataValue.int(manifest["credits_captured"]),
        "credits released": dg.MetadataValue.int(manifest["credits_released"]),
        "bytes": dg.MetadataValue.int(sum(pose["size"] for pose in poses)),
        "render ms": dg.MetadataValue.int(sum(pose["render_ms"] for pose in poses)),
        "encode and store ms": dg.MetadataValue.int(sum(pose["generation_ms"] - pose["render_ms"] for pose in poses)),
    }
    metadata |= _calls(service.calls(studio.database, generation_id=UUID(manifest["generation"]), limit=_MOST_CALLS))
    metadata |= _uploads(studio.store.traffic())
    if sheet is None:
        return metadata
    shown = f"not drawn: {sheet.problem}" if sheet.url is None else f"![contact sheet]({sheet.url})"
    return {"contact sheet": dg.MetadataValue.md(shown), **metadata}


def thumbnail_metadata(manifest: Manifest) -> Metadata:
    """Of the asset `thumbnails`."""
    thumbnails = manifest["thumbnails"]
    return {
        "thumbnails": dg.MetadataValue.int(len(thumbnails)),
        "bytes": dg.MetadataValue.int(sum(thumbnail["size"] for thumbnail in thumbnails)),
    }


def export_metadata(manifest: Manifest, *, derived: int, seconds: float, status: str, traffic: Traffic) -> Metadata:
    """Of the asset `exports`. `derived`: how many were made in this run; `seconds`: how long that took."""
    exports = manifest["exports"]
    by_format: dict[str, list[int]] = {}
    for export in exports:
        by_format.setdefault(export["format"], []).append(export["size"])
    rows = [f"| {name} | {len(sizes)} | {sum(sizes):,} |" for name, sizes in sorted(by_format.items())]
    return {
        "generation": dg.MetadataValue.text(status),
        "exports": dg.MetadataValue.int(len(exports)),
        "failed": dg.MetadataValue.int(len(manifest["failed"])),
        "derived in this run": dg.MetadataValue.int(derived),
        "export ms": dg.MetadataValue.int(round(seconds * 1000)),
        "bytes": dg.MetadataValue.int(sum(export["size"] for export in exports)),
        **_uploads(traffic),
        "formats": dg.MetadataValue.md("\n".join(["| format | files | bytes |", "|---|---:|---:|", *rows])),
    }


def _calls(calls: Sequence[ListedCall]) -> Metadata:
    """What a hosted backend was asked for, over all runs of the generation; nothing for another backend."""
    if not calls:
        return {}
    states = Counter(call.state for call in calls)
    rows = [
        f"| {call.position + 1} | {call.state} | {call.seconds or 0:.1f} "
        f"| {(call.billed_usd or Decimal(0)).normalize():f} | {call.bill_source or ''} | {call.far_id or ''} |"
        for call in sorted(calls, key=lambda call: (call.position, call.planned_at))
    ]
    head = ["| pose | state | seconds | USD | by | provider's id |", "|---:|---|---:|---:|---|---|"]
    return {
        "backend": dg.MetadataValue.text(f"{calls[0].backend}, model {calls[0].model}"),
        "licence": dg.MetadataValue.text(", ".join(sorted({call.licence for call in calls if call.licence})) or "none"),
        "calls": dg.MetadataValue.text(", ".join(f"{number} {state}" for state, number in sorted(states.items()))),
        "USD": dg.MetadataValue.float(float(sum(call.billed_usd or 0 for call in calls))),
        "far end's seconds": dg.MetadataValue.float(round(sum(call.seconds or 0.0 for call in calls), 3)),
        "calls by pose": dg.MetadataValue.md("\n".join([*head, *rows])),
    }


def _uploads(traffic: Traffic) -> Metadata:
    """What was put into the store, and what was not because the same bytes were there already."""
    return {
        "uploads": dg.MetadataValue.int(traffic.written.operations),
        "uploads skipped": dg.MetadataValue.int(traffic.skipped.operations),
        "bytes skipped": dg.MetadataValue.int(traffic.skipped.bytes),
    }
