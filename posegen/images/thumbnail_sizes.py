"""Which thumbnails a pose has, as data: sides and formats, as the setting writes them. `thumbnails` makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from posegen.errors import UnknownName

SMALLEST, LARGEST = 16, 1024
_WRITTEN = re.compile(r"([1-9][0-9]{1,3})\.(webp|png)")
_CONTENT_TYPES = {"webp": "image/webp", "png": "image/png"}


@dataclass(frozen=True)
class ThumbnailSize:
    """A square thumbnail. `side`: pixels; `suffix`: `webp` or `png`.

    >>> ThumbnailSize(200, "png").name
    '200.png'
    """

    side: int
    suffix: str

    @property
    def name(self) -> str:
        """As the setting and the views write it."""
        return f"{self.side}.{self.suffix}"

    @property
    def content_type(self) -> str:
        """The content type of its file."""
        return _CONTENT_TYPES[self.suffix]

    @property
    def reserve_bytes(self) -> int:
        """What to set aside for one before it is made: pure noise takes less, an ordinary picture far less."""
        pixels = self.side * self.side
        return pixels * 15 // 8 if self.suffix == "webp" else pixels * 3 + pixels // 100 + 20_000


STANDARD = ThumbnailSize(400, "webp")


def thumbnail_sizes(text: str) -> tuple[ThumbnailSize, ...]:
    """The sizes that a text names; the first is that of `thumbnail_url`. Raises `UnknownName`.

    >>> [size.name for size in thumbnail_sizes("400.webp, 200.png")]
    ['400.webp', '200.png']
    """
    sizes = tuple(_size(part.strip()) for part in text.split(","))
    for place, size in enumerate(sizes):
        if size in sizes[:place]:
            raise UnknownName("another thumbnail", size.name, ["each size once"])
    return sizes


def _size(written: str) -> ThumbnailSize:
    found = _WRITTEN.fullmatch(written)
    if found is None or not SMALLEST <= int(found[1]) <= LARGEST:
        raise UnknownName("thumbnail size", written, ["400.webp", "200.png", f"sides of {SMALLEST} to {LARGEST}"])
    return ThumbnailSize(int(found[1]), found[2])
