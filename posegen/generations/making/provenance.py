"""What the files of a pose say of themselves. The words and the packet live in `posegen.images.provenance`.

Everything in it comes from the request and the recipe, so that making a file again gives the same bytes.
"""

from __future__ import annotations

import io
from datetime import datetime

from posegen.backends.protocol import Recipe
from posegen.errors import ImageInvalid
from posegen.generations.rows.poses import FinishedPose
from posegen.images.packets import find_packet
from posegen.images.provenance import Provenance, digital_source_of, read_packet, write_packet

_IPTC_SOURCES = ("http://cv.iptc.org/newscodes/digitalsourcetype/", "https://cv.iptc.org/newscodes/digitalsourcetype/")


def packet_of(recipe: Recipe, asked_at: datetime) -> bytes:
    """The XMP packet of a picture that this recipe has made. `asked_at`: when its generation was asked for."""
    return _packet(recipe.backend, recipe.backend_version, recipe.digest(), asked_at)


def packet_for(pose: FinishedPose) -> bytes:
    """The XMP packet of every file that is made of a completed pose: the same that its image has."""
    return _packet(pose.backend, pose.backend_version, pose.recipe_hash, pose.asked_at)


def carried_packet(file: bytes, *, is_ours: bool) -> bytes | None:
    """The XMP packet of a file that is made of another one: what that says of itself, or None when it says nothing.

    `is_ours`: made by Posegen. Of a file from outside nothing is repeated but how it came to be, in the IPTC's words:
    leaving that out would hide that a picture was generated.
    """
    packet = find_packet(io.BytesIO(file))
    if packet is None:
        return None
    try:
        said = read_packet(packet)
    except ImageInvalid:
        return None
    source = said.digital_source
    if not is_ours:
        said = Provenance(digital_source=source if source and source.startswith(_IPTC_SOURCES) else None)
    return None if said == Provenance() else write_packet(said)


def _packet(backend: str, backend_version: str, recipe_hash: str, asked_at: datetime) -> bytes:
    return write_packet(
        Provenance(
            digital_source=digital_source_of(backend),
            generator=f"Posegen, {backend} {backend_version}",
            recipe_hash=recipe_hash,
            created=asked_at,
        )
    )
