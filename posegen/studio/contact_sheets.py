"""Contact sheets of a generation and of the library, for people who would rather look than read."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from PIL import Image

from posegen.database import objects, poses
from posegen.database.generations import Lease
from posegen.images.contact_sheet import Tile, contact_sheet, encode_sheet
from posegen.lifecycle import checkpoint
from posegen.storage.keys import contact_sheet_key, library_sheet_key
from posegen.studio.control_maps import ControlMap
from posegen.studio.studio import Studio

# What the Dagster UI shows without cutting it off.
SHEET_WIDTH = 640


def draw_contact_sheet(studio: Studio, generation_id: UUID, *, width: int = SHEET_WIDTH) -> Image.Image | None:
    """The completed poses of a generation with their names and seeds, or None when there is none."""
    with studio.database.transaction() as connection:
        finished = poses.finished_poses(connection, generation_id)
    if not finished:
        return None
    tiles = [
        Tile(
            studio.read(pose.thumbnail_store, pose.thumbnail_key, pose.thumbnail_sha256),
            label=pose.library_pose,
            detail=f"seed {pose.seed}",
        )
        for pose in finished
    ]
    return contact_sheet(tiles, width=width)


def store_contact_sheet(studio: Studio, generation_id: UUID, lease: Lease | None) -> str | None:
    """Store the sheet beside the thumbnails and answer where a browser finds it; None when there is no pose.

    Without a lease the generation must have ended. Raises `LeaseLost`.
    """
    sheet = draw_contact_sheet(studio, generation_id)
    if sheet is None:
        return None
    encoded = encode_sheet(sheet, "jpeg")
    stored = studio.put_verified(
        lambda sha256: contact_sheet_key(generation_id, sha256), encoded.data, encoded.content_type
    )
    checkpoint.put_contact_sheet(studio.database, generation_id, lease, stored, store=studio.store.name)
    return studio.url_to_look_at(stored.key)


def store_library_sheet(studio: Studio, maps: Mapping[str, ControlMap]) -> str:
    """Store a sheet of control maps, by the name of their poses, and answer where a browser finds it."""
    tiles = [Tile(studio.read(each.store, each.key, each.sha256), label=slug) for slug, each in maps.items()]
    encoded = encode_sheet(contact_sheet(tiles, width=SHEET_WIDTH), "jpeg")
    stored = studio.put_verified(library_sheet_key, encoded.data, encoded.content_type)
    with studio.database.transaction() as connection:
        objects.register(connection, studio.store.name, stored, generation_id=None)
    return studio.url_to_look_at(stored.key)
