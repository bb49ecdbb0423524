"""A print as a PDF: one page in its real size, the picture on it without loss, sRGB named, trim and bleed marked."""

from __future__ import annotations

import codecs
import zlib

from posegen.images.color_profile import srgb_profile
from posegen.images.pixels import EncodedImage, Pixels

POINTS_PER_INCH = 72
MM_PER_INCH = 25.4
CONTENT_TYPE = "application/pdf"
_BAND = 256  # rows that are compressed at once
_LEVEL = 6


def encode_page(pixels: Pixels, *, dpi: int, bleed: float, title: str, xmp: bytes) -> EncodedImage:
    """One page that `pixels` fill at `dpi`, bleed and all. Equal pixels and texts give equal bytes.

    `bleed`: what is cut off on each side, in millimetres; `title`: what a viewer shows in its window; `xmp`: a packet
    of UTF-8, as it is. PDF 1.7 (ISO 32000-1), without anything that only some readers know.
    """
    page_width, page_height = pixels.shape[1] * POINTS_PER_INCH / dpi, pixels.shape[0] * POINTS_PER_INCH / dpi
    edge = bleed / MM_PER_INCH * POINTS_PER_INCH
    whole = f"[0 0 {page_width:.4f} {page_height:.4f}]"
    trim = f"[{edge:.4f} {edge:.4f} {page_width - edge:.4f} {page_height - edge:.4f}]"
    place = f"q {page_width:.4f} 0 0 {page_height:.4f} 0 0 cm /Print Do Q".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Metadata 7 0 R /ViewerPreferences << /DisplayDocTitle true >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {whole} /BleedBox {whole} /TrimBox {trim} /Contents 4 0 R "
        "/Resources << /XObject << /Print 5 0 R >> >> >>".encode(),
        _stream("", place),
        _stream(
            f"/Type /XObject /Subtype /Image /Width {pixels.shape[1]} /Height {pixels.shape[0]} /BitsPerComponent 8 "
            "/ColorSpace [/ICCBased 6 0 R] /Filter /FlateDecode ",
            _deflated(pixels),
        ),
        _stream("/N 3 /Alternate /DeviceRGB /Filter /FlateDecode ", zlib.compress(srgb_profile())),
        _stream("/Type /Metadata /Subtype /XML ", xmp),
        f"<< /Title <{(codecs.BOM_UTF16_BE + title.encode('utf-16-be')).hex()}> /Producer (Posegen) >>".encode(),
    ]
    return EncodedImage(_file_of(objects), pixels.shape[1], pixels.shape[0], CONTENT_TYPE)


def _stream(entries: str, data: bytes) -> bytes:
    return f"<< {entries}/Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _deflated(pixels: Pixels) -> bytes:
    compressor = zlib.compressobj(_LEVEL)
    parts = [compressor.compress(pixels[start : start + _BAND].tobytes()) for start in range(0, pixels.shape[0], _BAND)]
    return b"".join([*parts, compressor.flush()])


def _file_of(objects: list[bytes]) -> bytes:
    """Header, objects, table of their places, and where that begins. The last object is the document's information."""
    parts = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"]  # bytes above 127, so that no program takes the file for text
    places, place = [], len(parts[0])
    for number, body in enumerate(objects, 1):
        part = b"%d 0 obj\n" % number + body + b"\nendobj\n"
        places.append(place)
        place += len(part)
        parts.append(part)
    count = len(objects) + 1
    table = b"".join(b"%010d 00000 n \n" % each for each in places)
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % count + table)
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (count, len(objects)))
    parts.append(b"startxref\n%d\n%%%%EOF\n" % place)
    return b"".join(parts)
