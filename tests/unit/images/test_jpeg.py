from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from posegen.images.jpeg import encode_jpeg, encode_planes
from posegen.images.planes import Planes


def test_a_picture_keeps_its_size_and_its_looks(picture):
    with Image.open(io.BytesIO(encode_jpeg(picture, quality=90))) as image:
        found = np.asarray(image).astype(float)

    assert found.shape == picture.shape
    assert np.abs(found - picture).mean() < 2


@pytest.mark.parametrize("shape", [(31, 17), (30, 17), (31, 16), (1, 1)])
def test_odd_sides_are_no_trouble(shape):
    colour = np.full((*shape, 3), (180, 40, 90), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_jpeg(colour, quality=90))) as image:
        found = np.asarray(image).astype(int)

    assert found.shape == colour.shape
    assert np.abs(found - colour).max() <= 1


def test_quality_density_and_packet_are_taken(picture):
    small, large = encode_jpeg(picture, quality=60), encode_jpeg(picture, quality=95, dpi=300, xmp=b"<x/>")

    assert len(small) < len(large) / 2
    with Image.open(io.BytesIO(large)) as image:
        assert image.info["dpi"] == (300, 300)
        assert image.info["xmp"] == b"<x/>"


@pytest.mark.parametrize("shape", [(300, 301), (301, 300), (301, 301)])
def test_equal_pictures_give_equal_bytes_whatever_lies_behind_them_in_memory(picture, shape):
    part = picture[: shape[0], : shape[1]]
    first = encode_jpeg(part.copy(), quality=90)
    litter = [np.full(shape, value, dtype=np.uint8) for value in range(200)]
    del litter

    assert encode_jpeg(np.ascontiguousarray(part), quality=90) == first


def test_planes_that_are_cut_off_at_an_odd_side_are_refused():
    """The encoder would read beyond them."""
    halves = np.zeros((16, 16), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"\(31, 31\)"):
        encode_planes(Planes(np.zeros((31, 31), dtype=np.uint8), halves, halves), (31, 31), quality=90)
