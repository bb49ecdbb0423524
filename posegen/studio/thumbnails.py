"""Making thumbnails again from the stored poses; on the first pass each lands together with its pose."""

from __future__ import annotations

from uuid import UUID

from posegen.database import poses
from posegen.images.thumbnails import encode_thumbnail
from posegen.images.validation import open_image
from posegen.lifecycle import checkpoint
from posegen.storage.keys import thumbnail_key
from posegen.studio.provenance import packet_for
from posegen.studio.studio import Studio


def make_thumbnails_again(studio: Studio, generation_id: UUID) -> int:
    """Make the thumbnail of every completed pose anew, at no charge; answers how many. It must have ended."""
    with studio.database.transaction() as connection:
        finished = poses.finished_poses(connection, generation_id)
    for pose in finished:
        pixels = open_image(studio.read(pose.image_store, pose.image_key, pose.image_sha256))
        thumbnail = encode_thumbnail(pixels, xmp=packet_for(pose))
        stored = studio.put_verified(
            lambda sha256, pose=pose: thumbnail_key(generation_id, pose.id, sha256),  # type: ignore[misc]
            thumbnail.data,
            thumbnail.content_type,
        )
        checkpoint.replace_thumbnail(studio.database, generation_id, None, pose.id, stored, store=studio.store.name)
    return len(finished)
