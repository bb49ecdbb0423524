"""How good exports are: against resizing in floating point before they are encoded, and against Pillow's encoder after.

Speeds are not tested here but measured by `benchmarks/images.py`.
"""

from __future__ import annotations

import dataclasses
import io
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posegen.images.framing import Placement
from posegen.images.pixels import Pixels
from posegen.images.planes import Planes
from posegen.platforms.drawing import PlannedExport, Source, draw_export, encode_export, plan_exports
from posegen.platforms.platform import PLATFORMS, Platform
from tests.backends import standing_keypoints

Floats = NDArray[np.float32]
DISTINCT = [
    "instagram_post",
    "tiktok",
    "shopee",
    "facebook",
    "twitter",
    "linkedin",
    "print_letter",
    "print_tabloid",
]
LUMA = np.array([0.299, 0.587, 0.114])
BLUE = np.array([-0.168736, -0.331264, 0.5])
RED = np.array([0.5, -0.418688, -0.081312])


def planned(pixels: Pixels, platform: Platform) -> PlannedExport:
    """As framing has it for a figure that stands upright."""
    (only,) = plan_exports(Source.of(pixels, standing_keypoints()), [platform])
    return only


def lanczos(plane: NDArray[np.float64], placement: Placement) -> Floats:
    """What fills `placement.target_box`, resized by Lanczos in floating point."""
    left, top, right, bottom = placement.target_box
    image = Image.fromarray(plane.astype(np.float32))
    resized = image.resize((right - left, bottom - top), Image.Resampling.LANCZOS, placement.source_box)
    return np.asarray(resized).clip(0, 255)


def within(plane: NDArray[np.uint8], placement: Placement) -> Floats:
    """The part of an export that the picture fills."""
    left, top, right, bottom = placement.target_box
    return plane[top:bottom, left:right].astype(np.float32)


def psnr(found: Floats, reference: Floats) -> float:
    return float(10 * np.log10(255**2 / np.mean((found - reference) ** 2)))


def ssim(found: Floats, reference: Floats) -> float:
    """Mean structural similarity (Wang et al., 2004), Gaussian windows of 11x11."""

    def mean(values: Floats) -> Floats:
        return cv2.GaussianBlur(values, (11, 11), 1.5)  # type: ignore[return-value]

    ours, theirs = mean(found), mean(reference)
    ours_spread = mean(found * found) - ours**2
    theirs_spread = mean(reference * reference) - theirs**2
    both = mean(found * reference) - ours * theirs
    few, more = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(
        np.mean(
            ((2 * ours * theirs + few) * (2 * both + more))
            / ((ours**2 + theirs**2 + few) * (ours_spread + theirs_spread + more))
        )
    )


def decoded(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data), formats=["JPEG"]))


# --- before encoding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("source", ["picture", "photograph"])
def test_an_export_is_as_good_as_one_resized_in_floating_point(source, name, request):
    pixels = request.getfixturevalue(source)
    export = planned(pixels, PLATFORMS[name])
    reference = lanczos(pixels @ LUMA, export.placement)
    found = within(draw_export(export).luma, export.placement)

    assert psnr(found, reference) >= 40
    assert ssim(found[:2000, :2000], reference[:2000, :2000]) >= 0.98


@pytest.mark.parametrize("name", ["instagram_post", "facebook", "print_letter"])
def test_its_colours_are_those_of_the_picture_at_half_its_size(photograph, name):
    export = planned(photograph, PLATFORMS[name])
    drawn = draw_export(export)
    width, height = export.placement.canvas
    left, top, right, bottom = export.placement.target_box
    shown = (slice(top // 2 + 3, bottom // 2 - 3), slice(left // 2 + 3, right // 2 - 3))
    for plane, weights in ((drawn.blue, BLUE), (drawn.red, RED)):
        full = np.zeros((height, width), dtype=np.float32)
        full[top:bottom, left:right] = lanczos(photograph @ weights + 128, export.placement)
        halved = full.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        assert plane.shape == halved.shape
        assert psnr(plane[shown].astype(np.float32), halved[shown]) >= 40


# --- places -------------------------------------------------------------------------------------------------------

SPOTS = [(0.31, 0.12), (0.5, 0.5), (0.663, 0.871), (0.36, 0.74)]
SOURCES = [(1024, 1024), (999, 777), (777, 1001)]


@cache
def spots(size: tuple[int, int], ground: tuple[int, int, int], ink: tuple[int, int, int]) -> Pixels:
    """Smooth spots, all of one colour on another."""
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    share = np.zeros((size[1], size[0], 1))
    for x, y in SPOTS:
        distance = np.hypot(columns - x * size[0], rows - y * size[1])
        share[..., 0] += np.exp(-((distance / 14) ** 2))
    return (np.array(ground) * (1 - share) + np.array(ink) * share).round().astype(np.uint8)


def centre_near(plane: NDArray[np.uint8], expected: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The centre of gravity, in pixels, of what differs from the ground around an expected place."""
    ground = float(np.median(plane[::8, ::8]))  # of 17 million samples, most of which are ground, one in 64 will do
    left, top = np.round(expected).astype(int) - reach
    part = np.abs(plane[max(top, 0) : top + 2 * reach, max(left, 0) : left + 2 * reach] - ground)
    part[part < 4] = 0
    rows, columns = np.indices(part.shape) + 0.5
    found = np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum()
    corner = np.array([max(left, 0), max(top, 0)])
    return found + corner


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("size", SOURCES)
def test_every_point_stands_where_framing_says_within_a_twentieth_of_a_pixel(size, name):
    """In luma, and in chroma, whose samples lie between those of luma."""
    grey = planned(spots(size, (40, 40, 40), (220, 220, 220)), PLATFORMS[name])
    red = planned(spots(size, (60, 130, 90), (190, 60, 120)), PLATFORMS[name])
    luma, chroma = draw_export(grey).luma, draw_export(red).red
    scale = max(grey.placement.scale)

    for expected in grey.placement.to_target(SPOTS):
        reach = round(40 * scale)
        assert np.abs(centre_near(luma, expected, reach) - expected).max() < 0.05
        assert np.abs(centre_near(chroma, expected / 2, reach // 2) - expected / 2).max() < 0.05


@pytest.mark.parametrize(("width", "height"), [(1081, 1351), (627, 1201), (333, 333)])
def test_points_stand_right_in_formats_with_odd_sides_too(width, height):
    platform = dataclasses.replace(PLATFORMS["facebook"], width=width, height=height)
    export = planned(spots((1024, 1024), (40, 40, 40), (220, 220, 220)), platform)
    drawn = draw_export(export)

    assert drawn.luma.shape == (height + height % 2, width + width % 2)
    assert drawn.blue.shape == ((height + 1) // 2, (width + 1) // 2)
    for expected in export.placement.to_target(SPOTS):
        scale = max(export.placement.scale)
        assert np.abs(centre_near(drawn.luma, expected, round(40 * scale)) - expected).max() < 0.05


# --- after encoding -----------------------------------------------------------------------------------------------


def by_pillow(planes: Planes, platform: Platform) -> bytes:
    """The same samples through Pillow's encoder, which halves the colours by itself."""
    whole = [planes.luma, *(half.repeat(2, axis=0).repeat(2, axis=1) for half in (planes.blue, planes.red))]
    file = io.BytesIO()
    Image.fromarray(np.dstack(whole), "YCbCr").save(file, "JPEG", quality=platform.quality, subsampling="4:2:0")
    return file.getvalue()


@pytest.mark.parametrize("name", ["instagram_post", "facebook", "tiktok", "print_letter"])
def test_an_encoded_export_is_as_near_to_the_picture_as_pillow_makes_it_at_equal_size(photograph, name):
    platform = PLATFORMS[name]
    export = planned(photograph, platform)
    reference = lanczos(photograph @ LUMA, export.placement)
    ours = encode_export(export)
    pillows = by_pillow(draw_export(export), platform)

    def quality(data: bytes) -> float:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("YCbCr", image.size)
            return psnr(within(np.asarray(image)[..., 0], export.placement), reference)

    assert abs(len(ours.data) / len(pillows) - 1) < 0.01
    assert quality(ours.data) >= quality(pillows) - 0.2


@pytest.mark.parametrize("name", ["instagram_post", "facebook", "tiktok", "print_letter"])
def test_flat_colours_stay_within_one_level(name):
    """64 of them, in fields of 128x128; at the seams of the fields colours mix."""
    steps = np.array([0, 85, 170, 255])
    colours = np.array(np.meshgrid(steps, steps, steps)).reshape(3, -1).T
    np.random.default_rng(2).shuffle(colours)
    fields = np.repeat(np.repeat(colours.reshape(8, 8, 3), 128, axis=0), 128, axis=1).astype(np.uint8)
    export = planned(fields, dataclasses.replace(PLATFORMS[name], fit="contain"))
    found = decoded(encode_export(export).data).astype(int)

    middles = (np.indices((8, 8)).reshape(2, -1).T[:, ::-1] + 0.5) / 8
    for (x, y), colour in zip(export.placement.to_target(middles), colours, strict=True):
        patch = found[round(y) - 8 : round(y) + 8, round(x) - 8 : round(x) + 8]
        assert np.abs(patch - colour).max() <= 1, colour
