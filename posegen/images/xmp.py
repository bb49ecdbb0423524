"""Reads properties from an XMP packet of any program. The caller says which of them matter.

Where a packet lies in a file is known to `packets`; ours are written in `provenance`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from xml.parsers import expat

from posegen.errors import ImageInvalid

LARGEST_PACKET = 1024 * 1024
"""Bytes. Ours have about one kilobyte; what is larger is not read."""
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

_DEEPEST = 64
LONGEST_TEXT = 1000
"""Characters of a property; one more is read, so that a reader can tell where it was cut."""


def read_properties(packet: bytes, wanted: Collection[str]) -> dict[str, str]:
    """The printable text of each wanted property that the packet has, by its name.

    `wanted`: namespace, a space and the local name of each. The first value of a property counts.
    Raises `ImageInvalid` for a packet that is no XML, or hostile.
    """
    if len(packet) > LARGEST_PACKET:
        raise ImageInvalid(f"The XMP has {len(packet):,} bytes; at most {LARGEST_PACKET:,} are read.")
    reader = _PacketReader(wanted)
    try:
        reader.read(packet)
    except (expat.ExpatError, ValueError, LookupError) as broken:
        raise ImageInvalid(f"The XMP cannot be read: {broken}.") from None
    return reader.found


class _PacketReader:
    """Collects the wanted properties, however they are written: as elements, attributes or resources."""

    def __init__(self, wanted: Collection[str]) -> None:
        self.found: dict[str, str] = {}
        self._wanted = wanted
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
        if name == f"{RDF} Description":
            for attribute, value in attributes.items():
                self._take(attribute, value)
        elif f"{RDF} resource" in attributes:
            self._take(name, attributes[f"{RDF} resource"])

    def _characters(self, text: str) -> None:
        self._text = (self._text + text)[: LONGEST_TEXT + 1]

    def _end(self, name: str) -> None:
        self._path.pop()
        self._take(name, self._text)
        self._text = ""

    def _take(self, name: str, value: str) -> None:
        """What could move a terminal's cursor is no part of a value."""
        shown = "".join(character for character in value[: LONGEST_TEXT + 1] if character.isprintable()).strip()
        if name in self._wanted and shown:
            self.found.setdefault(name, shown)

    def _refuse_doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type, which no XMP has")
