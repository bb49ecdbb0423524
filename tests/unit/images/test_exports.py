from __future__ import annotations

import dataclasses
import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageCms

from posegen.errors import ExportFailed
from posegen.images.exports import QUALITY_FLOOR, encode_export, encode_exports
from posegen.images.framing import place
from posegen.images.pixels import EncodedImage, Pixels
from posegen.images.platforms import PLATFORMS, Platform

SMALL = [name for name in PLATFORMS if not name.startswith("print")]
TINY = Platform("tiny", 200, 120, reserve_bytes=100_000, source="made up")


@pytest.fixture(scope="module")
def exports(picture: Pixels) -> dict[str, EncodedImage]:
    return encode_exports(picture, PLATFORMS.values())


def opened(export: EncodedImage) -> Image.Image:
    return Image.open(io.BytesIO(export.data), formats=["JPEG"])


def markers(jpeg: bytes) -> list[tuple[int, bytes]]:
    """The marker segments before the picture data: marker and payload."""
    found, at = [], 2
    while jpeg[at + 1] != 0xDA:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        found.append((jpeg[at + 1], jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_export_has_exactly_its_platforms_size(exports, name):
    platform, export = PLATFORMS[name], exports[name]

    with opened(export) as image:
        image.load()
        assert image.size == (platform.width, platform.height) == (export.width, export.height)
    assert export.content_type == "image/jpeg"


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_export_is_a_baseline_jpeg_with_halved_chroma(exports, name):
    segments = markers(exports[name].data)
    frames = [payload for marker, payload in segments if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)]

    assert [marker for marker, _ in segments if marker in (0xC0, 0xC1, 0xC2)] == [0xC0]
    assert [frames[0][7 + 3 * component] for component in range(3)] == [0x22, 0x11, 0x11]


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_export_carries_srgb_and_its_dpi_and_nothing_else(exports, name):
    with opened(exports[name]) as image:
        assert image.info["dpi"] == ((300, 300) if name.startswith("print") else (72, 72))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        assert not image.getexif()
    extras = {marker for marker, _ in markers(exports[name].data) if 0xE0 <= marker <= 0xEF or marker == 0xFE}
    assert extras == {0xE0, 0xE2}


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_ordinary_picture_stays_far_below_what_is_reserved_for_it(exports, name):
    assert len(exports[name].data) < PLATFORMS[name].reserve_bytes / 4


def test_equal_pixels_give_equal_bytes(picture, exports):
    again = encode_export(picture.copy(), PLATFORMS["facebook"])

    assert again.data == exports["facebook"].data


def test_the_profile_is_the_same_in_every_process(exports):
    with opened(exports["facebook"]) as image:
        profile = image.info["icc_profile"]

    assert profile[24:36] == bytes.fromhex("07ea000b0001000000000000")


def test_platforms_that_want_the_same_bytes_share_one_file(exports):
    assert exports["instagram_story"] is exports["instagram_reel"] is exports["tiktok"]
    assert exports["shopee"] is exports["tokopedia"] is exports["lazada"]
    assert exports["facebook"].data != exports["linkedin"].data
    assert len({id(export) for export in exports.values()}) == 8


def test_the_picture_stands_where_framing_says(picture, exports):
    """The shirt's corners are found in the export within a pixel of where the geometry puts them."""
    for name in SMALL:
        platform = PLATFORMS[name]
        placement = place((1024, 1024), (platform.width, platform.height), platform.fit)
        (left, top), (right, _) = placement.to_target(np.array([(400, 300), (625, 300)]) / 1024)
        with opened(exports[name]) as image:
            row = np.asarray(image.convert("RGB"), dtype=float)[round(top)]
        blue = np.flatnonzero(row[:, 2] - row[:, 0] > 50)
        assert blue[0] == pytest.approx(left, abs=1.5), name
        assert blue[-1] + 1 == pytest.approx(right, abs=1.5), name


def test_colours_stay_within_two_levels_on_flat_areas():
    flat = np.full((1024, 1024, 3), (180, 120, 60), dtype=np.uint8)

    with opened(encode_export(flat, PLATFORMS["facebook"])) as image:
        off = np.asarray(image).astype(int) - (180, 120, 60)
    assert np.abs(off).max() <= 2


def test_a_size_limit_is_kept_by_lowering_the_quality(noise):
    free = encode_export(noise, TINY)
    limit = len(free.data) - 1
    tight = encode_export(noise, dataclasses.replace(TINY, max_bytes=limit))

    assert len(tight.data) <= limit < len(free.data)
    assert tables(tight) != tables(free)


def test_quality_goes_down_no_further_than_needed(noise):
    sizes = {
        quality: len(encode_export(noise, dataclasses.replace(TINY, quality=quality)).data)
        for quality in range(90, QUALITY_FLOOR - 1, -5)
    }
    for (_, larger), (_, smaller) in itertools.pairwise(sizes.items()):
        limited = dataclasses.replace(TINY, max_bytes=larger - 1)
        assert len(encode_export(noise, limited).data) == smaller


def test_below_the_floor_the_export_fails_and_says_by_how_much(noise):
    smallest = len(encode_export(noise, dataclasses.replace(TINY, quality=QUALITY_FLOOR)).data)

    with pytest.raises(ExportFailed, match=rf"tiny.*{smallest:,} bytes at quality {QUALITY_FLOOR}.*{smallest - 1:,}"):
        encode_export(noise, dataclasses.replace(TINY, max_bytes=smallest - 1))


@pytest.mark.parametrize("name", [*SMALL[:2], "shopee", "facebook", "print_letter"])
def test_what_is_reserved_is_enough_for_noise_at_full_quality(noise, name):
    platform = PLATFORMS[name]
    for fit in ("contain", "cover"):
        export = encode_export(noise, dataclasses.replace(platform, fit=fit))
        full = encode_export(noise, dataclasses.replace(platform, fit=fit, reserve_bytes=10**9, max_bytes=None))

        assert export.data == full.data
        assert len(full.data) < platform.reserve_bytes


def test_no_export_is_larger_than_its_reservation_whatever_the_source():
    larger = (np.random.default_rng(7).integers(0, 2, (630, 1200, 3)) * 255).astype(np.uint8)
    platform = dataclasses.replace(PLATFORMS["facebook"], reserve_bytes=600_000)

    assert len(encode_export(larger, platform).data) <= 600_000


def tables(export: EncodedImage) -> object:
    with opened(export) as image:
        return image.quantization
