from __future__ import annotations

import dataclasses
import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from posegen.errors import ExportFailed
from posegen.images.framing import Fit
from posegen.images.pixels import EncodedImage, Pixels
from posegen.platforms.drawing import QUALITY_FLOOR, Export, Source, encode_export, in_turns, plan_exports
from posegen.platforms.platform import PLATFORMS, Platform
from tests.backends import STANDING, standing_keypoints

PRINTS = ["print_letter", "print_tabloid"]
TINY = Platform("tiny", 200, 120, reserve_bytes=100_000, source="made up")


@pytest.fixture(scope="module")
def exports(picture: Pixels) -> dict[str, Export]:
    """All twelve, of a picture whose figure is known."""
    planned = plan_exports(Source.of(picture, standing_keypoints()), PLATFORMS.values())
    return {name: export for each in planned for export in [encode_export(each)] for name in each.names}


def encoded(pixels: Pixels, platform: Platform, fit: Fit | None = None, xmp: bytes | None = None) -> Export:
    """One export, of a picture without a figure."""
    (planned,) = plan_exports(Source.of(pixels), [platform], fit)
    return encode_export(planned, xmp)


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


# --- what every export is -----------------------------------------------------------------------------------------


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
        assert image.info["dpi"] == ((300, 300) if name in PRINTS else (72, 72))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        assert not image.getexif()
    extras = {marker for marker, _ in markers(exports[name].data) if 0xE0 <= marker <= 0xEF or marker == 0xFE}
    assert extras == {0xE0, 0xE2}


def test_a_packet_is_written_into_it(picture):
    with opened(encoded(picture, TINY, xmp=b"<x:xmpmeta/>")) as image:
        assert image.info["xmp"] == b"<x:xmpmeta/>"


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_export_is_encoded_at_quality_90(exports, name):
    ninety = io.BytesIO()
    Image.new("RGB", (16, 16)).save(ninety, "JPEG", quality=90)

    assert tables(exports[name]) == Image.open(ninety).quantization


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_ordinary_picture_stays_far_below_what_is_reserved_for_it(exports, name):
    assert len(exports[name].data) < PLATFORMS[name].reserve_bytes / 4


def test_equal_pixels_give_equal_bytes(picture, exports):
    source = Source.of(picture.copy(), standing_keypoints())
    with ThreadPoolExecutor(3) as threads:
        again = list(threads.map(encode_export, plan_exports(source, reversed(PLATFORMS.values()))))

    assert {export.data for export in again} == {export.data for export in exports.values()}


def test_the_profile_is_the_same_in_every_process(exports):
    with opened(exports["facebook"]) as image:
        profile = image.info["icc_profile"]

    assert profile[24:36] == bytes.fromhex("07ea000b0001000000000000")


# --- several at once ----------------------------------------------------------------------------------------------


def test_platforms_that_want_the_same_bytes_share_one_file(exports):
    assert exports["instagram_story"] is exports["instagram_reel"] is exports["tiktok"]
    assert exports["shopee"] is exports["tokopedia"] is exports["lazada"]
    assert exports["facebook"].data != exports["linkedin"].data
    assert len({id(export) for export in exports.values()}) == 8


def test_the_largest_is_made_first_and_large_ones_one_after_the_other(picture):
    planned = plan_exports(Source.of(picture), PLATFORMS.values())

    assert [each.names[0] for each in planned][:3] == ["print_tabloid", "print_letter", "instagram_story"]
    assert [[each.names[0] for each in some] for some in in_turns(planned)][:2] == [
        ["print_tabloid", "print_letter"],
        ["instagram_story"],
    ]
    assert [len(some) for some in in_turns(planned[2:])] == [1] * 6


# --- fits ---------------------------------------------------------------------------------------------------------


def test_the_figure_decides_how_a_picture_is_fitted(exports):
    fits = {name: export.fit for name, export in exports.items()}

    assert {name for name, fit in fits.items() if fit == "contain"} == {"facebook", "twitter", "linkedin"}


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_a_fit_can_be_forced(picture, fit):
    planned = plan_exports(Source.of(picture, standing_keypoints()), PLATFORMS.values(), fit)
    squares = {"instagram_post", "shopee"}

    assert {each.placement.covers for each in planned if each.names[0] not in squares} == {fit == "cover"}


def test_a_print_says_how_many_pixels_of_the_picture_an_inch_shows(picture, exports):
    assert exports["print_letter"].effective_ppi == pytest.approx(93.1, abs=0.1)
    assert exports["print_tabloid"].effective_ppi == pytest.approx(60.2, abs=0.1)
    assert encoded(picture, PLATFORMS["print_letter"]).effective_ppi == pytest.approx(120.5, abs=0.1)
    assert exports["facebook"].effective_ppi is None


def test_a_picture_larger_than_its_print_has_the_resolution_of_the_print():
    print_small = dataclasses.replace(PLATFORMS["print_letter"], width=300, height=300)

    assert encoded(np.zeros((400, 400, 3), dtype=np.uint8), print_small).effective_ppi == 300


def test_a_plain_colour_surrounds_a_contained_picture():
    red = np.full((400, 300, 3), (200, 30, 40), dtype=np.uint8)
    export = encoded(red, PLATFORMS["shopee"])
    (planned,) = plan_exports(Source.of(red), [PLATFORMS["shopee"]])
    left, _, right, _ = planned.placement.target_box
    with opened(export) as image:
        found = np.asarray(image).astype(int)

    assert (found[:, : left - 16] == 255).all()
    assert (found[:, right + 16 :] == 255).all()
    assert np.abs(found[:, left + 16 : right - 16] - (200, 30, 40)).max() <= 1


def test_a_mark_on_the_head_and_one_on_each_foot_are_found_in_every_export():
    pixels = np.full((1024, 1024, 3), 128, dtype=np.uint8)
    marks = [STANDING[0], STANDING[10], STANDING[13]]
    for x, y in marks:
        pixels[round(y * 1024) - 8 : round(y * 1024) + 8, round(x * 1024) - 8 : round(x * 1024) + 8] = (250, 30, 30)
    for planned in plan_exports(Source.of(pixels, standing_keypoints()), PLATFORMS.values()):
        with opened(encode_export(planned)) as image:
            found = np.asarray(image).astype(int)
        for x, y in planned.placement.to_target(marks):
            red, green, _ = found[round(y), round(x)]
            assert red - green > 150, planned.names


# --- size limits --------------------------------------------------------------------------------------------------


def test_a_size_limit_is_kept_by_lowering_the_quality(noise):
    free = encoded(noise, TINY)
    limit = len(free.data) - 1
    tight = encoded(noise, dataclasses.replace(TINY, max_bytes=limit))

    assert len(tight.data) <= limit < len(free.data)
    assert tables(tight) != tables(free)


def test_a_marketplace_never_gets_more_than_a_megabyte(noise):
    for name in ("shopee", "tokopedia", "lazada"):
        export = encoded(noise, PLATFORMS[name])
        assert len(export.data) <= 1_000_000
        assert tables(export) != tables(
            encoded(noise, dataclasses.replace(PLATFORMS[name], reserve_bytes=10**9, max_bytes=None))
        )


def test_quality_goes_down_no_further_than_needed(noise):
    sizes = {
        quality: len(encoded(noise, dataclasses.replace(TINY, quality=quality)).data)
        for quality in range(90, QUALITY_FLOOR - 1, -5)
    }
    for (_, larger), (_, smaller) in itertools.pairwise(sizes.items()):
        limited = dataclasses.replace(TINY, max_bytes=larger - 1)
        assert len(encoded(noise, limited).data) == smaller


def test_below_the_floor_the_export_fails_and_says_by_how_much(noise):
    smallest = len(encoded(noise, dataclasses.replace(TINY, quality=QUALITY_FLOOR)).data)

    with pytest.raises(ExportFailed, match=rf"tiny.*{smallest:,} bytes at quality {QUALITY_FLOOR}.*{smallest - 1:,}"):
        encoded(noise, dataclasses.replace(TINY, max_bytes=smallest - 1))


@pytest.mark.parametrize("name", ["instagram_post", "instagram_story", "facebook", "twitter", "linkedin", *PRINTS])
def test_what_is_reserved_is_enough_for_noise_at_full_quality(noise, name):
    platform = PLATFORMS[name]
    for fit in ("contain", "cover"):
        export = encoded(noise, platform, fit)

        assert len(export.data) < platform.reserve_bytes
        assert tables(export) == tables(encoded(noise[:64, :64], platform, fit))


def test_no_export_is_larger_than_its_reservation_whatever_the_source():
    larger = (np.random.default_rng(7).integers(0, 2, (630, 1200, 3)) * 255).astype(np.uint8)
    platform = dataclasses.replace(PLATFORMS["facebook"], reserve_bytes=600_000)

    assert len(encoded(larger, platform).data) <= 600_000


def tables(export: EncodedImage) -> object:
    """Quantization tables: they say at which quality a file was encoded."""
    with opened(export) as image:
        return image.quantization
