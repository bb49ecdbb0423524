"""The thumbnails of poses: stored together with their pose, or made again later from the stored poses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from posegen.generations.making import checkpoint
from posegen.generations.making.provenance import packet_for
from posegen.generations.rows import poses
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.thumbnails import encode_thumbnail
from posegen.images.validation import open_image
from posegen.storage.keys import thumbnail_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio


def make_thumbnails_again(studio: Studio, generation_id: UUID) -> int:
    """Make the thumbnails of every completed pose anew, at no charge; returns how many. It must have ended."""
    with studio.database.transaction() as connection:
        finished = poses.finished_poses(connection, generation_id)
    for pose in finished:
        pixels = open_image(studio.read(pose.image_store, pose.image_key, pose.image_sha256))
        first, more = store_thumbnails(
            studio, generation_id, pose.id, encode_thumbnails(studio, pixels, packet_for(pose))
        )
        checkpoint.replace_thumbnails(
            studio.database, generation_id, None, pose.id, first, more, store=studio.store.name
        )
    return len(finished)


def encode_thumbnails(studio: Studio, pixels: Pixels, xmp: bytes | None) -> dict[str, EncodedImage]:
    """Every size that the studio makes, by its name, the first one first."""
    return {size.name: encode_thumbnail(pixels, size=size, xmp=xmp) for size in studio.thumbnails}


def store_thumbnails(
    studio: Studio, generation_id: UUID, pose: UUID, encoded: Mapping[str, EncodedImage]
) -> tuple[ObjectInfo, dict[str, ObjectInfo]]:
    """Store and verify thumbnails; returns the first one, and the others by the names of their sizes."""
    stored = {
        name: studio.put_verified(
            partial(thumbnail_key, generation_id, pose, content_type=each.content_type), each.data, each.content_type
        )
        for name, each in encoded.items()
    }
    first, *others = stored
    return stored[first], {name: stored[name] for name in others}
