"""Where a picture comes from, in its file's own words: an XMP packet that is written into it, and read back.

The packet is put into files by `png`, `jpeg_header` and `thumbnails`, and found in them by `packets`.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from xml.sax.saxutils import escape

from posegen.errors import ImageInvalid
from posegen.graphemes import shorten
from posegen.images.packets import find_packet
from posegen.images.xmp import LONGEST_TEXT, RDF, read_properties

_RECIPE_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)

_NAMESPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "posegen": "urn:posegen:provenance#",
}
_SOURCE, _TOOL, _CREATED, _RECIPE = (
    ("Iptc4xmpExt", "DigitalSourceType"),
    ("xmp", "CreatorTool"),
    ("xmp", "CreateDate"),
    ("posegen", "RecipeHash"),
)
_READ = {pair: f"{_NAMESPACES[pair[0]]} {pair[1]}" for pair in (_SOURCE, _TOOL, _CREATED, _RECIPE)}


class DigitalSource(StrEnum):
    """How a picture came to be, as the IPTC's list of digital source types calls it (its page, read 2026-11)."""

    TRAINED_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"


_IPTC_SOURCES = ("http://cv.iptc.org/newscodes/digitalsourcetype/", "https://cv.iptc.org/newscodes/digitalsourcetype/")
_DRAWING_BACKENDS = frozenset({"mannequin"})


def digital_source_of(backend: str) -> DigitalSource:
    """Every backend counts as a trained model, unless it is known to draw: silence would be the wrong mistake.

    >>> digital_source_of("mannequin").name, digital_source_of("tomorrows-model").name
    ('DRAWN', 'TRAINED_MODEL')
    """
    return DigitalSource.DRAWN if backend in _DRAWING_BACKENDS else DigitalSource.TRAINED_MODEL


@dataclass(frozen=True)
class Provenance:
    """What a file says of itself; None for what it does not say.

    `digital_source`: URI of an IPTC digital source type; `generator`: what made it; `recipe_hash`: 64 hex digits;
    `created`: when it was asked for, with time zone.
    """

    digital_source: str | None = None
    generator: str | None = None
    recipe_hash: str | None = None
    created: datetime | None = None


def write_packet(provenance: Provenance) -> bytes:
    """The XMP packet that says this: UTF-8, about one kilobyte, of even length. Equal provenance gives equal bytes."""
    created = provenance.created and provenance.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {
        _SOURCE: provenance.digital_source,
        _TOOL: provenance.generator,
        _CREATED: created,
        _RECIPE: provenance.recipe_hash,
    }
    properties = [
        f"   <{prefix}:{name}>{escape(text)}</{prefix}:{name}>" for (prefix, name), text in said.items() if text
    ]
    spaces = [f'    xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items()]
    lines = [
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',  # the same for every packet there is
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
        f' <rdf:RDF xmlns:rdf="{RDF}">',
        '  <rdf:Description rdf:about=""',
        "\n".join(spaces) + ">",
        *properties,
        "  </rdf:Description>",
        " </rdf:RDF>",
        "</x:xmpmeta>",
        '<?xpacket end="r"?>',
    ]
    packet = "\n".join(lines).encode()
    if len(packet) % 2 == 0:
        return packet
    # A WebP pads a chunk of odd length with a zero, which some readers take for a part of the packet.
    return packet.replace(b"\n<?xpacket end", b"\n\n<?xpacket end")


def packet_of(backend: str, backend_version: str, recipe_hash: str, asked_at: datetime) -> bytes:
    """The XMP packet of every file of a picture that a backend has made. Making a file again gives the same packet.

    Args:
        backend: the name of the backend.
        backend_version: its version.
        recipe_hash: 64 hex digits.
        asked_at: when the generation was asked for, with time zone.
    """
    return write_packet(
        Provenance(
            digital_source=digital_source_of(backend),
            generator=f"Posegen, {backend} {backend_version}",
            recipe_hash=recipe_hash,
            created=asked_at,
        )
    )


def read_packet(packet: bytes) -> Provenance:
    """What a packet says, from any writer. Raises `ImageInvalid` for one that is no XML, or hostile."""
    found = read_properties(packet, _READ.values())
    said = {pair: shorten(found[name], LONGEST_TEXT) for pair, name in _READ.items() if name in found}
    recipe_hash = said.get(_RECIPE, "")
    return Provenance(
        digital_source=said.get(_SOURCE),
        generator=said.get(_TOOL),
        recipe_hash=recipe_hash if _RECIPE_HASH.fullmatch(recipe_hash) else None,
        created=_as_time(said.get(_CREATED, "")),
    )


def _as_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


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
