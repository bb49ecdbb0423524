"""What the walks over PNG, JPEG and WebP share: what they find, and reading numbers that may not be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from posegen.errors import ImageInvalid

Format: TypeAlias = Literal["PNG", "JPEG", "WEBP"]

SPELLED: dict[Format, str] = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP"}

MOST_EXTRA_BYTES = 2 * 1024 * 1024
"""Of text, profiles and other data beside the picture, all in all: a press profile takes half a megabyte, editors'
notes some hundred kilobytes."""


@dataclass(frozen=True)
class Header:
    """`width`, `height`: pixels, as the file claims them; `pixel_bytes`: what the decoder unpacks for each."""

    format: Format
    width: int
    height: int
    pixel_bytes: int = 4

    def __str__(self) -> str:
        return f"{SPELLED[self.format]} of {self.width:,}x{self.height:,} pixels"


class EndsTooSoon(IndexError):
    """A number was to be read where the file has no bytes any more."""


def big(data: bytes, at: int, size: int) -> int:
    """An unsigned number, its highest byte first. Raises `EndsTooSoon`."""
    return int.from_bytes(part(data, at, size), "big")


def little(data: bytes, at: int, size: int) -> int:
    """An unsigned number, its lowest byte first. Raises `EndsTooSoon`."""
    return int.from_bytes(part(data, at, size), "little")


def part(data: bytes, at: int, size: int) -> bytes:
    """`size` bytes from `at` on. Raises `EndsTooSoon` when there are fewer."""
    if at + size > len(data):
        raise EndsTooSoon(at)
    return data[at : at + size]


def check_extra(kind: Format, size: int) -> None:
    """Raises `ImageInvalid` when what lies beside the picture takes more than `MOST_EXTRA_BYTES`."""
    if size > MOST_EXTRA_BYTES:
        raise ImageInvalid(
            f"The {SPELLED[kind]} carries {size:,} bytes of text, profiles and the like; at most {MOST_EXTRA_BYTES:,} "
            "are accepted. Save it without metadata."
        )


def trailing(kind: Format, size: int) -> ImageInvalid:
    """The refusal of a file in which `size` bytes follow the picture."""
    return ImageInvalid(
        f"{size:,} bytes were appended to the {SPELLED[kind]}, after its end. Save it again as a plain picture, "
        "without what some cameras add to it."
    )


def moving(kind: Format, sign: str) -> ImageInvalid:
    """The refusal of a file that holds several pictures. `sign`: what says so."""
    return ImageInvalid(f"The {SPELLED[kind]} holds several pictures ({sign}); send one with a single picture.")
