"""Previews: each library pose as a small picture of the mannequin, for lists that customers choose from.

A preview is drawn once for each specification. What a pose looks like is decided in `posegen.figure`.
"""

from __future__ import annotations

from posegen.images.thumbnail_sizes import ThumbnailSize
from posegen.images.thumbnails import encode_thumbnail
from posegen.library import rows
from posegen.library.control_maps import draw_library_pose, fingerprint_of, is_stored
from posegen.library.rows import StoredPose
from posegen.objects import rows as objects
from posegen.storage.keys import library_preview_key
from posegen.studio import Studio

PREVIEW = ThumbnailSize(512, "webp")


def store_preview(studio: Studio, pose: StoredPose) -> bool:
    """Draw and store the preview of a library pose; returns False when it is stored already.

    Raises `InvalidPose` for a stored specification that the skeleton cannot take.
    """
    fingerprint = fingerprint_of(pose)
    with studio.database.transaction() as connection:
        known = rows.preview(connection, pose.slug, fingerprint)
    if known is not None and is_stored(studio, known):
        return False
    encoded = encode_thumbnail(draw_library_pose(pose, PREVIEW.side).pixels, size=PREVIEW)
    stored = studio.put_verified(
        lambda sha256: library_preview_key(pose.slug, PREVIEW.side, sha256), encoded.data, encoded.content_type
    )
    with studio.database.transaction() as connection:
        object_id, _ = objects.register(connection, studio.store.name, stored, generation_id=None)
        rows.put_preview(connection, pose.slug, fingerprint, object_id)
    return True
