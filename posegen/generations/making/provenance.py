"""What the files of a pose say of themselves. The words and the packet live in `posegen.images.provenance`.

Everything in it comes from the request and the recipe, so that making a file again gives the same bytes.
"""

from __future__ import annotations

from datetime import datetime

from posegen.backends.protocol import Recipe
from posegen.generations.rows.poses import FinishedPose
from posegen.images.provenance import Provenance, digital_source_of, write_packet


def packet_of(recipe: Recipe, asked_at: datetime) -> bytes:
    """The XMP packet of a picture that this recipe has made. `asked_at`: when its generation was asked for."""
    return _packet(recipe.backend, recipe.backend_version, recipe.digest(), asked_at)


def packet_for(pose: FinishedPose) -> bytes:
    """The XMP packet of every file that is made of a completed pose: the same that its image has."""
    return _packet(pose.backend, pose.backend_version, pose.recipe_hash, pose.asked_at)


def _packet(backend: str, backend_version: str, recipe_hash: str, asked_at: datetime) -> bytes:
    return write_packet(
        Provenance(
            digital_source=digital_source_of(backend),
            generator=f"Posegen, {backend} {backend_version}",
            recipe_hash=recipe_hash,
            created=asked_at,
        )
    )
