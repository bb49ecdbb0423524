"""Contact sheets of a generation: drawn for the command, stored for Dagster's UI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from PIL import Image

from posegen.errors import ImageInvalid, StorageError
from posegen.generations.making import checkpoint
from posegen.generations.rows import poses
from posegen.generations.rows.poses import FinishedPose
from posegen.images.contact_sheet import Tile, contact_sheet, encode_sheet
from posegen.storage.keys import contact_sheet_key
from posegen.studio import Studio
from posegen.work.queue import Lease

# What the Dagster UI shows without cutting it off.
SHEET_WIDTH = 640


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: where a browser finds it, or why it could not be stored."""

    url: str | None
    problem: str | None = None


def draw_contact_sheet(studio: Studio, generation_id: UUID, *, width: int = SHEET_WIDTH) -> Image.Image | None:
    """The shown poses of a generation with their names and seeds, or None when there is none."""
    return _drawn(studio, _shown(studio, generation_id), width)


def store_contact_sheet(studio: Studio, generation_id: UUID, lease: Lease | None) -> str | None:
    """Store the sheet beside the thumbnails; returns where a browser finds it.

    None when there is no pose, or when one was hidden while the sheet was drawn. Without a lease the generation must
    have ended. Raises `LeaseLost`.
    """
    shown = _shown(studio, generation_id)
    sheet = _drawn(studio, shown, SHEET_WIDTH)
    if sheet is None:
        return None
    encoded = encode_sheet(sheet, "jpeg")
    stored = studio.put_verified(
        lambda sha256: contact_sheet_key(generation_id, sha256, private=shown[0].private),
        encoded.data,
        encoded.content_type,
    )
    shows = [pose.id for pose in shown]
    if not checkpoint.put_contact_sheet(
        studio.database, generation_id, lease, stored, shows=shows, store=studio.store.name
    ):
        return None
    return studio.url_to_look_at(stored.key)


def try_to_store_sheet(studio: Studio, generation_id: UUID, lease: Lease | None) -> Sheet | None:
    """As `store_contact_sheet`, but a sheet that cannot be stored is no error.

    The poses are paid for by now: a picture for operators must not end the run, the checks may.
    """
    try:
        url = store_contact_sheet(studio, generation_id, lease)
    except (StorageError, ImageInvalid) as broken:
        return Sheet(None, str(broken))
    return None if url is None else Sheet(url)


def _shown(studio: Studio, generation_id: UUID) -> list[FinishedPose]:
    with studio.database.transaction() as connection:
        return poses.finished_poses(connection, generation_id)


def _drawn(studio: Studio, shown: Sequence[FinishedPose], width: int) -> Image.Image | None:
    if not shown:
        return None
    tiles = [
        Tile(
            studio.read(pose.thumbnail_store, pose.thumbnail_key, pose.thumbnail_sha256),
            label=pose.library_pose,
            detail=f"seed {pose.seed}",
        )
        for pose in shown
    ]
    return contact_sheet(tiles, width=width)
