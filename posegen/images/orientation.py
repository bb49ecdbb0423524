"""Which way up a picture is, by what its file says: EXIF first, XMP where no EXIF says it.

Where each format keeps its EXIF is the caller's business; what lies in it beside the orientation is not read.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from posegen.errors import ImageInvalid
from posegen.images.xmp import read_properties

UPRIGHT = 1

_EXIF_START = b"Exif\0\0"
_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION = 0x0112
_NUMBER_BYTES = {1: 1, 3: 2, 4: 4}  # of the types BYTE, SHORT and LONG
_XMP_ORIENTATION = "http://ns.adobe.com/tiff/1.0/ Orientation"


def orientation_of(exif: bytes | None, xmp: bytes | None) -> int:
    """1 to 8, as EXIF counts them; 1 where nothing valid is said.

    `exif`: the first EXIF block of the file, with or without its signature; `xmp`: its first packet. An orientation in
    the EXIF decides also when it is invalid: the picture is upright then.
    """
    said = None if exif is None else _in_exif(exif.removeprefix(_EXIF_START))
    if said is None and xmp is not None:
        with suppress(ImageInvalid):
            said = _number(read_properties(xmp, [_XMP_ORIENTATION]).get(_XMP_ORIENTATION, ""))
    return said if said is not None and 1 <= said <= 8 else UPRIGHT


def _in_exif(tiff: bytes) -> int | None:
    """The orientation that the first directory names, 0 for one that is no single whole number, None without one."""
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    directory = number(4, 4)
    for at in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if at + 12 > len(tiff):
            return None
        if number(at, 2) == _ORIENTATION:
            size = _NUMBER_BYTES.get(number(at + 2, 2), 0)
            return number(at + 8, size) if size and number(at + 4, 4) == 1 else 0
    return None


def _number(text: str) -> int | None:
    return int(text) if len(text) == 1 and text in "12345678" else None
