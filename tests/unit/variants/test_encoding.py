"""Variants of a picture: two files of its own size, like it, in sRGB, and the same bytes every time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from posegen.images.packets import find_packet
from posegen.images.provenance import DigitalSource, Provenance, write_packet
from posegen.variants.encoding import encode_variants

PACKET = write_packet(Provenance(DigitalSource.DRAWN))


def opened(data: bytes, format: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=[format])


def psnr(pixels: np.ndarray, image: Image.Image) -> float:
    difference = pixels.astype(float) - np.asarray(image.convert("RGB"))
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def test_the_normal_one_is_a_baseline_jpeg_and_the_other_a_webp_that_is_closer(picture):
    variants = encode_variants(picture)

    with opened(variants.normal.data, "JPEG") as normal, opened(variants.high_quality.data, "WEBP") as high:
        assert "progressive" not in normal.info
        assert normal.size == high.size == (1024, 1024)
        assert 40 < psnr(picture, normal) < psnr(picture, high)
        for image in (normal, high):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            assert "sRGB" in ImageCms.getProfileDescription(profile)
            assert not image.getexif()
    assert (variants.normal.content_type, variants.high_quality.content_type) == ("image/jpeg", "image/webp")
    assert len(variants.normal.data) < len(variants.high_quality.data)


@pytest.mark.parametrize("size", [(16, 16), (17, 301), (640, 427)])
def test_any_size_is_kept(size):
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)

    variants = encode_variants(pixels)

    for image, format in ((variants.normal, "JPEG"), (variants.high_quality, "WEBP")):
        with opened(image.data, format) as found:
            assert found.size == size == (image.width, image.height)


def test_both_say_where_they_come_from(picture):
    variants = encode_variants(picture, xmp=PACKET)

    assert find_packet(io.BytesIO(variants.normal.data)) == PACKET
    assert find_packet(io.BytesIO(variants.high_quality.data)) == PACKET


def test_without_a_packet_there_is_none(picture):
    variants = encode_variants(picture)

    assert find_packet(io.BytesIO(variants.normal.data)) is None
    assert find_packet(io.BytesIO(variants.high_quality.data)) is None


def test_equal_pixels_give_equal_bytes(picture):
    assert encode_variants(picture, xmp=PACKET) == encode_variants(picture.copy(), xmp=PACKET)
