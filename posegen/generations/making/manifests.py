"""Manifests: what a generation has, as plain JSON, for the next asset, for people, and for readers of the store.

Each raises `GenerationUnknown` when there is no such generation.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from posegen.accounts import credits
from posegen.generations.rows import exports, generations, poses
from posegen.studio import Studio

Manifest = dict[str, Any]


def poses_manifest(studio: Studio, generation_id: UUID) -> Manifest:
    """The completed poses with keys and hashes, and what they cost. Sizes in bytes, durations in milliseconds."""
    with studio.database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id)
        finished = poses.finished_poses(connection, generation_id)
        held = credits.hold_of(connection, generation_id)
    return {
        "generation": str(generation_id),
        "asked": progress.poses_total,
        "failed": progress.poses_failed,
        "credits_captured": 0 if held is None else held.captured,
        "credits_released": 0 if held is None else held.released,
        "poses": [
            {
                "pose": str(pose.id),
                "position": pose.position,
                "library_pose": pose.library_pose,
                "seed": pose.seed,
                "store": pose.image_store,
                "key": pose.image_key,
                "sha256": pose.image_sha256,
                "size": pose.image_size,
                "render_ms": pose.render_ms,
                "generation_ms": pose.generation_ms,
            }
            for pose in finished
        ],
    }


def thumbnails_manifest(studio: Studio, generation_id: UUID) -> Manifest:
    """The thumbnails of the completed poses with keys and hashes. Sizes in bytes."""
    with studio.database.transaction() as connection:
        generations.progress_of(connection, generation_id)
        finished = poses.finished_poses(connection, generation_id)
    return {
        "generation": str(generation_id),
        "thumbnails": [
            {
                "pose": str(pose.id),
                "store": pose.thumbnail_store,
                "key": pose.thumbnail_key,
                "sha256": pose.thumbnail_sha256,
                "size": pose.thumbnail_size,
            }
            for pose in finished
        ],
    }


def exports_manifest(studio: Studio, generation_id: UUID) -> Manifest:
    """Every export with its format, key and hash; failed ones with their reason. Sizes in bytes and pixels."""
    with studio.database.transaction() as connection:
        generations.progress_of(connection, generation_id)
        rows = exports.exports_of(connection, generation_id)
    return {
        "generation": str(generation_id),
        "exports": [
            {
                "pose": str(row.pose_id),
                "format": row.format,
                "store": row.store,
                "key": row.key,
                "sha256": row.sha256,
                "size": row.size,
                "width": row.width,
                "height": row.height,
            }
            for row in rows
            if row.status == "completed"
        ],
        "failed": [
            {"pose": str(row.pose_id), "format": row.format, "error_code": row.error_code, "detail": row.error_detail}
            for row in rows
            if row.status == "failed"
        ],
    }
