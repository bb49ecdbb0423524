"""Platform exports: one picture, framed and encoded for each requested platform, on JPEG's own planes throughout.

The rules are data in `platform`, the surroundings of the picture in `backgrounds`; the geometry is in
`posegen.images.framing`, resizing in `posegen.images.planes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from posegen.errors import ExportFailed
from posegen.images.body import Body, BodyPoints, body_of
from posegen.images.framing import Fit, Placement, Window, place
from posegen.images.jpeg import encode_planes
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.planes import Plane, Planes, planes_of, resample, ycbcr
from posegen.platforms.backgrounds import Reach, extend
from posegen.platforms.platform import EXPORT_TYPE, EXTEND, Platform

QUALITY_STEP = 5
QUALITY_FLOOR = 60
"""Below this, blocks show on skin and flat backgrounds: rather no export than such a one."""

_LARGE_PIXELS = 4_000_000  # prints
_PAIRS = 0.55  # of its size, or less: 4:2:0 is made by averaging pairs of colour samples anyway


@dataclass(frozen=True)
class Source:
    """A picture that exports are made of. `body`: of the figure in it, where it is known."""

    planes: Planes
    body: Body | None

    @classmethod
    def of(
        cls, pixels: Pixels, keypoints: BodyPoints | None = None, belongings: NDArray[np.float64] | None = None
    ) -> Source:
        """Takes the pixels apart; they are not needed any more. `belongings`: see `body.body_of`."""
        planes = planes_of(pixels)
        return cls(planes, None if keypoints is None else body_of(keypoints, planes.size, belongings))


@dataclass(frozen=True)
class PlannedExport:
    """One file to be made. `names`: the platforms that want just these bytes; `platform`: the rules of the first.

    `planes` hold at least what `window`, counted in them, shows.
    """

    names: tuple[str, ...]
    platform: Platform
    placement: Placement
    planes: Planes
    window: Window


@dataclass(frozen=True)
class Export(EncodedImage):
    """A finished export. `fit`: how the picture came to lie in it.

    `effective_ppi`: of a print, how many of the source's own pixels an inch of paper shows; None for screens.
    """

    fit: Literal["contain", "cover"]
    effective_ppi: float | None


def plan_exports(source: Source, platforms: Iterable[Platform], fit: Fit | None = None) -> list[PlannedExport]:
    """One file for each set of platforms that want the same bytes, the largest first. `fit` overrules the platforms'.

    Backgrounds that several files need are made here, once.
    """
    alike: dict[object, list[Platform]] = {}
    for platform in platforms:
        alike.setdefault(platform.encoding, []).append(platform)
    placed = [
        (same, place(source.planes.size, (same[0].width, same[0].height), fit or same[0].fit, source.body))
        for same in alike.values()
    ]
    grounds = _grounds(source, [placement for _, placement in placed])
    planned = []
    for same, placement in placed:
        reach, planes = grounds[_direction(placement)]
        window = placement.window
        within = Window(window.left + reach.left, window.top + reach.top, window.width, window.height)
        planned.append(PlannedExport(tuple(each.name for each in same), same[0], placement, planes, within))
    return sorted(planned, key=lambda each: math.prod(each.placement.target), reverse=True)


def encode_export(planned: PlannedExport, xmp: bytes | None = None) -> Export:
    """The file: baseline JPEG 4:2:0 in sRGB, without EXIF, never above its platform's size limit.

    `xmp`: a packet to write into it. Equal pixels give equal bytes. Raises `ExportFailed` when the limit cannot be
    kept at an acceptable quality.
    """
    platform, placement = planned.platform, planned.placement
    data = _within_limit(draw_export(planned), platform, xmp)
    return Export(
        data,
        platform.width,
        platform.height,
        EXPORT_TYPE,
        fit="cover" if placement.covers else "contain",
        effective_ppi=min(1.0, 1 / max(placement.scale)) * platform.dpi if platform.is_print else None,
    )


def in_turns(planned: Iterable[PlannedExport]) -> list[list[PlannedExport]]:
    """Exports for threads to take, a list each: the large ones one after the other, for each of them takes 35 MB."""
    large: list[PlannedExport] = []
    small: list[list[PlannedExport]] = []
    for each in planned:
        if math.prod(each.placement.target) > _LARGE_PIXELS:
            large.append(each)
        else:
            small.append([each])
    return [large, *small] if large else small


def draw_export(planned: PlannedExport) -> Planes:
    """The export before it is encoded: luma of its size with even sides, chroma of half that."""
    platform, placement = planned.platform, planned.placement
    canvas = placement.canvas
    luma = resample(planned.planes.luma, planned.window, canvas)
    halves = canvas[0] // 2, canvas[1] // 2
    blue, red = (resample(plane, planned.window, halves, averaged=_PAIRS) for plane in planned.planes.all()[1:])
    if platform.background != EXTEND and not placement.covers:
        _paint_around((luma, blue, red), placement.target_box, platform.background)
    return Planes(luma, blue, red)


def _direction(placement: Placement) -> Literal["none", "sideways", "upright"]:
    """Where background is needed."""
    if placement.covers:
        return "none"
    window, source = placement.window, placement.source
    return "sideways" if window.width - source[0] > window.height - source[1] else "upright"


def _grounds(source: Source, placements: Iterable[Placement]) -> dict[str, tuple[Reach, Planes]]:
    """By direction, the picture with as much background as any of the placements needs, and how far that reaches."""
    wanted: dict[str, Reach] = {}
    for placement in placements:
        window, (width, height) = placement.window, placement.source
        reach = Reach(-window.left, -window.top, window.right - width, window.bottom - height)
        direction = _direction(placement)
        wanted[direction] = wanted.get(direction, Reach()) | reach
    figure = None if source.body is None else source.body.whole
    return {
        direction: (reach, source.planes if reach == Reach() else extend(source.planes, reach, figure))
        for direction, reach in wanted.items()
    }


def _paint_around(planes: tuple[Plane, Plane, Plane], box: tuple[int, int, int, int], background: str) -> None:
    """Colours what lies outside `box`, of which halved planes keep whole samples only."""
    left, top, right, bottom = box
    red, green, blue = ImageColor.getrgb(background)[:3]
    for plane, value, step in zip(planes, ycbcr(red, green, blue), (1, 2, 2), strict=True):
        plane[: -(-top // step)] = value
        plane[bottom // step :] = value
        plane[:, : -(-left // step)] = value
        plane[:, right // step :] = value


def _within_limit(planes: Planes, platform: Platform, xmp: bytes | None) -> bytes:
    size = 0
    for quality in _qualities(platform.quality):
        data = encode_planes(planes, (platform.width, platform.height), quality=quality, dpi=platform.dpi, xmp=xmp)
        size = len(data)
        if size <= platform.byte_limit:
            return data
    raise ExportFailed(
        f"{platform.name}: the picture still takes {size:,} bytes at quality {quality}, and at most "
        f"{platform.byte_limit:,} are allowed. It is mostly noise: generate it again with another seed, "
        f"or leave this format out."
    )


def _qualities(start: int) -> Iterator[int]:
    """From the platform's quality down in steps, ending with the floor itself."""
    yield from range(start, QUALITY_FLOOR, -QUALITY_STEP)
    yield min(start, QUALITY_FLOOR)
