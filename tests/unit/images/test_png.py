from __future__ import annotations

import io

import numpy as np
from PIL import Image

from posegen.images.png import encode_png, png_reserve_bytes


def test_a_png_keeps_every_pixel(picture):
    original = encode_png(picture)

    with Image.open(io.BytesIO(original.data), formats=["PNG"]) as image:
        assert (np.asarray(image) == picture).all()
    assert (original.width, original.height, original.content_type) == (1024, 1024, "image/png")


def test_equal_pixels_give_equal_bytes(picture):
    assert encode_png(picture).data == encode_png(picture.copy()).data


def test_the_reservation_is_enough_for_noise():
    random = np.random.default_rng(0)
    for height, width in ((1024, 1024), (16, 16), (17, 301)):
        noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        assert len(encode_png(noise).data) < png_reserve_bytes(width, height)
