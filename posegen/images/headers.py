"""What a picture's file says about itself: its format and size, read without a decoder. PNG, JPEG and WebP only."""

from __future__ import annotations

from posegen.errors import ImageInvalid
from posegen.graphemes import shorten
from posegen.images import jpeg_segments, png_chunks
from posegen.images.file_bytes import SPELLED, Format, Header
from posegen.images.jpeg_segments import walk_jpeg
from posegen.images.png_chunks import walk_png
from posegen.images.webp_chunks import is_webp, walk_webp

SUFFIXES: dict[str, Format] = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""The endings that file names of pictures may have, and the format that each one promises."""

_WALKS = {"PNG": walk_png, "JPEG": walk_jpeg, "WEBP": walk_webp}


def read_header(data: bytes) -> Header:
    """Format and size, after a walk from the first byte of the file to its last.

    Raises `ImageInvalid` for any other format, and for a file that is truncated, has something appended, holds several
    pictures, carries more than 2 MB beside its picture, or has chunks that no picture has.
    """
    found = format_of(data)
    try:
        return _WALKS[found](data)
    except IndexError:
        raise ImageInvalid(f"The {SPELLED[found]} is truncated: its {len(data):,} bytes end too soon.") from None


def format_of(data: bytes) -> Format:
    """The format, by the first bytes alone. Raises `ImageInvalid` for any but PNG, JPEG and WebP."""
    if data.startswith(png_chunks.MAGIC):
        return "PNG"
    if data.startswith(jpeg_segments.MAGIC):
        return "JPEG"
    if is_webp(data):
        return "WEBP"
    raise ImageInvalid(
        f"The file is no picture that is accepted here: it starts with {data[:12].hex(' ') or 'nothing'}. "
        "Send a PNG, JPEG or WebP."
    )


def check_suffix(found: Format, suffix: str) -> None:
    """Raises `ImageInvalid` unless a file name's ending is one of `SUFFIXES`, in any case, and promises this format."""
    promised = SUFFIXES.get(suffix.lower())
    if promised is None:
        raise ImageInvalid(
            f"File names of pictures end in {', '.join(SUFFIXES)}; this one ends in {shorten(suffix, 20)!r}."
        )
    if promised != found:
        raise ImageInvalid(
            f"The file name ends in {suffix} and the file is a {SPELLED[found]}. Name it for what it is."
        )
