"""The platforms that exports are made for, as data: sizes, limits and where each rule was read.

How a picture is framed and encoded lives in `drawing` and `backgrounds`, operators' own platforms in `file`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from posegen.errors import UnknownName
from posegen.images.framing import Fit

MEGABYTE = 1_000_000
"""The smaller of the two meanings, so that a limit holds in both."""

EXTEND = "extend"
"""The background that carries the picture's own edges on."""

EXPORT_TYPE = "image/jpeg"
"""The content type of every export; `drawing` encodes it."""
_PRINT_DPI = 150  # from here on it is printed matter


@dataclass(frozen=True)
class Platform:
    """What one platform asks of an export.

    `width`, `height`: pixels; `fit`: how the picture is laid into them, unless a request says otherwise;
    `background`: `EXTEND` or a colour such as "#ffffff"; `quality`: of the JPEG, where
    encoding starts; `max_bytes`: the largest file that the platform takes, None where it names none; `dpi`: written
    into the file; `source`, `read_on`: where and when (year-month) the rule was read; `reserve_bytes`: what to set
    aside for this export before it is made. No export is ever larger than that.
    """

    name: str
    width: int
    height: int
    reserve_bytes: int
    source: str
    max_bytes: int | None = None
    fit: Fit = "figure"
    background: str = EXTEND
    quality: int = 90
    dpi: int = 72
    read_on: str = "2026-11"

    @property
    def byte_limit(self) -> int:
        """The size that encoding keeps: the platform's own limit and the reservation, whichever is smaller."""
        return self.reserve_bytes if self.max_bytes is None else min(self.reserve_bytes, self.max_bytes)

    @property
    def is_print(self) -> bool:
        """Whether it is paper, where inches count."""
        return self.dpi >= _PRINT_DPI

    @property
    def encoding(self) -> tuple[object, ...]:
        """Everything that decides the bytes: platforms with equal encodings share one file."""
        return self.width, self.height, self.fit, self.background, self.quality, self.byte_limit, self.dpi


_INSTAGRAM = "https://www.ayrshare.com/docs/media-guidelines/instagram"
_TIKTOK = "https://docs.getlate.dev/resources/media-guidelines/tiktok"
_FACEBOOK = "https://www.joomlashack.com/docs/shack-open-graph/facebook-image-requirements/"
_X = "https://docs.x.com/x-api/media"
_LINKEDIN = "https://screenhance.com/blog/linkedin-post-image-guide"
_SHOPEE = "no public page; square and at most 1 MB, as for the other marketplaces"
_TOKOPEDIA = "https://seller-id.tokopedia.com/university/essay?knowledge_id=1386665054783233&lang=en"
_LAZADA = "https://www.scribd.com/document/356331009/MY-Image-Content-Guideline-080217"
_LETTER = "ANSI/ASME Y14.1, size A: 8.5 x 11 inches at 300 dpi"
_TABLOID = "ANSI/ASME Y14.1, size B: 11 x 17 inches at 300 dpi"


def _upright(name: str, source: str, max_bytes: int) -> Platform:
    return Platform(name, 1080, 1920, reserve_bytes=2_400_000, source=source, max_bytes=max_bytes)


def _marketplace(name: str, source: str) -> Platform:
    return Platform(name, 1000, 1000, MEGABYTE, source, max_bytes=MEGABYTE, background="#ffffff")


PLATFORMS: Mapping[str, Platform] = MappingProxyType(
    {
        platform.name: platform
        for platform in (
            Platform("instagram_post", 1080, 1080, 1_350_000, _INSTAGRAM, max_bytes=8 * MEGABYTE),
            _upright("instagram_story", _INSTAGRAM, 8 * MEGABYTE),
            _upright("instagram_reel", _INSTAGRAM, 8 * MEGABYTE),
            _upright("tiktok", _TIKTOK, 20 * MEGABYTE),
            _marketplace("shopee", _SHOPEE),
            _marketplace("tokopedia", _TOKOPEDIA),
            _marketplace("lazada", _LAZADA),
            Platform("facebook", 1200, 630, 900_000, _FACEBOOK, max_bytes=8 * MEGABYTE),
            Platform("twitter", 1200, 675, 950_000, _X, max_bytes=5 * MEGABYTE),
            Platform("linkedin", 1200, 627, 900_000, _LINKEDIN, max_bytes=5 * MEGABYTE),
            Platform("print_letter", 2550, 3300, 6_400_000, _LETTER, dpi=300),
            Platform("print_tabloid", 3300, 5100, 9_600_000, _TABLOID, dpi=300),
        )
    }
)


def platform_named(name: str, platforms: Mapping[str, Platform] = PLATFORMS) -> Platform:
    """The platform of this name. Raises `UnknownName`."""
    try:
        return platforms[name]
    except KeyError:
        raise UnknownName("export format", name, list(platforms)) from None


def reserved_bytes(names: Iterable[str], platforms: Mapping[str, Platform] = PLATFORMS) -> int:
    """What the exports of one pose can take at most; platforms that share one file count once.

    >>> reserved_bytes(["tiktok", "instagram_story", "shopee"])
    3400000
    """
    wanted = (platform_named(name, platforms) for name in names)
    return sum({platform.encoding: platform.reserve_bytes for platform in wanted}.values())
