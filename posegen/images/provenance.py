"""Where a picture comes from, in its file's own words: an XMP packet that is written into it, and read back.

The packet is put into files by `png`, `jpeg_header` and `thumbnails`, and found in them by `packets`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from xml.parsers import expat
from xml.sax.saxutils import escape

from posegen.errors import ImageInvalid
from posegen.graphemes import shorten

LARGEST_PACKET = 1024 * 1024
"""Bytes. Ours have about one kilobyte; what is larger is not read."""

_DEEPEST = 64
_LONGEST_TEXT = 1000
_RECIPE_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
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
_READ = {f"{_NAMESPACES[prefix]} {name}": (prefix, name) for prefix, name in (_SOURCE, _TOOL, _CREATED, _RECIPE)}


class DigitalSource(StrEnum):
    """How a picture came to be, as the IPTC's list of digital source types calls it (its page, read 2026-11)."""

    TRAINED_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"


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
    """The XMP packet that says this. Equal provenance gives equal bytes, about one kilobyte of UTF-8."""
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
        f' <rdf:RDF xmlns:rdf="{_RDF}">',
        '  <rdf:Description rdf:about=""',
        "\n".join(spaces) + ">",
        *properties,
        "  </rdf:Description>",
        " </rdf:RDF>",
        "</x:xmpmeta>",
        '<?xpacket end="r"?>',
    ]
    return "\n".join(lines).encode()


def read_packet(packet: bytes) -> Provenance:
    """What a packet says, whoever wrote it. Raises `ImageInvalid` for one that is no XML, or hostile."""
    if len(packet) > LARGEST_PACKET:
        raise ImageInvalid(f"The XMP has {len(packet):,} bytes; at most {LARGEST_PACKET:,} are read.")
    reader = _PacketReader()
    try:
        reader.read(packet)
    except (expat.ExpatError, ValueError, LookupError) as broken:
        raise ImageInvalid(f"The XMP cannot be read: {broken}.") from None
    said = reader.said
    recipe_hash = said.get(_RECIPE, "")
    return Provenance(
        digital_source=said.get(_SOURCE),
        generator=said.get(_TOOL),
        recipe_hash=recipe_hash if _RECIPE_HASH.fullmatch(recipe_hash) else None,
        created=_as_time(said.get(_CREATED, "")),
    )


class _PacketReader:
    """Collects the properties that matter, however they are written: as elements, attributes or resources."""

    def __init__(self) -> None:
        self.said: dict[tuple[str, str], str] = {}
        self._path: list[str] = []
        self._text = ""
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, packet: bytes) -> None:
        self._parser.Parse(packet.strip(b"\0 \r\n\t"), True)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise ValueError(f"its elements are nested more than {_DEEPEST} deep")
        self._text = ""
        if name == f"{_RDF} Description":
            for attribute, value in attributes.items():
                self._take(attribute, value)
        elif f"{_RDF} resource" in attributes:
            self._take(name, attributes[f"{_RDF} resource"])

    def _characters(self, text: str) -> None:
        self._text = (self._text + text)[: _LONGEST_TEXT + 1]

    def _end(self, name: str) -> None:
        self._path.pop()
        self._take(name, self._text)
        self._text = ""

    def _take(self, name: str, value: str) -> None:
        """The first word on a property counts. What could move a terminal's cursor is no part of any of them."""
        key = _READ.get(name)
        shown = "".join(character for character in shorten(value, _LONGEST_TEXT) if character.isprintable()).strip()
        if key is not None and shown:
            self.said.setdefault(key, shown)

    def _refuse_doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type, which no XMP has")


def _as_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
