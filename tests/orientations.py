"""EXIF and XMP that say which way up a picture is, written into each place that a file has for them."""

from __future__ import annotations

import struct
import zlib
from typing import Literal

from tests.hostile_images import chunk, encoded, extended, jpeg_with, riff, segment, webp_chunk

BYTE, ASCII, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5
SIDE = (96, 64)

_SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8}


def exif(value: int | None, *, kind: int = SHORT, count: int = 1, order: Literal["<", ">"] = ">") -> bytes:
    """An EXIF block, without a signature, whose first directory says this, behind the width; None: only the width."""
    entries = [struct.pack(order + "HHII", 0x0100, LONG, 1, 96)]
    if value is not None:
        field = value.to_bytes(_SIZES[kind], "little" if order == "<" else "big")[:4].ljust(4, b"\0")
        entries.append(struct.pack(order + "HHI", 0x0112, kind, count) + field)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, len(entries)) + b"".join(entries) + bytes(4)


def xmp(value: object, *, as_element: bool = False, prefix: str = "tiff") -> bytes:
    """An XMP packet that says this."""
    said = f"{prefix}:Orientation"
    attribute, element = ("", f"<{said}>{value}</{said}>") if as_element else (f' {said}="{value}"', "")
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:{prefix}="http://ns.adobe.com/tiff/1.0/"{attribute}>{element}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def raw_profile(kind: str, content: bytes, *, compressed: bool = True) -> bytes:
    """A text chunk as ImageMagick writes it."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(content):8}\n{lines}\n".encode()
    keyword = f"Raw profile type {kind}\0".encode()
    return chunk(b"zTXt", keyword + b"\0" + zlib.compress(text)) if compressed else chunk(b"tEXt", keyword + text)


def png_with(*before: bytes, after: bytes = b"", **options: object) -> bytes:
    """The small picture as a PNG with these chunks before and behind its pixels."""
    whole = encoded("PNG", **options)
    return whole[:33] + b"".join(before) + whole[33:-12] + after + whole[-12:]


def webp_with(*chunks: bytes, profile: bytes | None = None, **options: object) -> bytes:
    """The small picture as a WebP without loss, with these chunks behind it."""
    flags = 0x0C if profile is None else 0x2C
    icc = b"" if profile is None else webp_chunk(b"ICCP", profile)
    return riff(extended(*SIDE, flags), icc, encoded("WEBP", lossless=True, **options)[12:], *chunks)


def places_of_exif(block: bytes) -> dict[str, bytes]:
    """The small picture with this EXIF in every place where a format may have it."""
    signed = b"Exif\0\0" + block
    return {
        "JPEG APP1": jpeg_with(segment(0xE1, signed), whole=encoded("JPEG", quality=95)),
        "PNG eXIf": png_with(chunk(b"eXIf", block)),
        "PNG eXIf with a signature": png_with(chunk(b"eXIf", signed)),
        "PNG eXIf behind the picture": png_with(after=chunk(b"eXIf", block)),
        "PNG raw profile": png_with(raw_profile("exif", signed)),
        "PNG raw profile as text": png_with(raw_profile("exif", block, compressed=False)),
        "PNG raw profile APP1": png_with(after=raw_profile("APP1", signed)),
        "WebP EXIF": webp_with(webp_chunk(b"EXIF", block)),
        "WebP EXIF with a signature": webp_with(webp_chunk(b"EXIF", signed)),
    }


def places_of_xmp(packet: bytes) -> dict[str, bytes]:
    """The small picture with this packet in every place where a format may have it."""
    international = b"XML:com.adobe.xmp\0"
    return {
        "JPEG APP1": jpeg_with(segment(0xE1, _XMP_START + packet), whole=encoded("JPEG", quality=95)),
        "PNG iTXt": png_with(chunk(b"iTXt", international + b"\0\0\0\0" + packet)),
        "PNG iTXt, compressed, behind the picture": png_with(
            after=chunk(b"iTXt", international + b"\1\0\0\0" + zlib.compress(packet))
        ),
        "PNG raw profile": png_with(raw_profile("xmp", packet)),
        "PNG raw profile APP1": png_with(raw_profile("APP1", _XMP_START + packet)),
        "WebP XMP": webp_with(webp_chunk(b"XMP ", packet)),
    }


_XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
