"""No encoder of ours writes a file that is too large for us to read: the hardest pictures, in bytes to a pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from posegen.images.png import encode_png
from posegen.images.validation import FROM_OUTSIDE, OF_OUR_OWN
from posegen.uploads.service import encode_upload
from posegen.variants.encoding import encode_variants

SIDE = 512
CHANCE = np.random.default_rng(1)
NOISE = {
    "every level": CHANCE.integers(0, 256, (SIDE, SIDE, 3), np.uint8),
    "black or white in each colour": (CHANCE.integers(0, 2, (SIDE, SIDE, 3)) * 255).astype(np.uint8),
    "black or white": (CHANCE.integers(0, 2, (SIDE, SIDE, 1)) * 255).astype(np.uint8).repeat(3, 2),
}


@pytest.mark.parametrize("pixels", NOISE.values(), ids=NOISE)
def test_noise_of_the_most_pixels_stays_below_the_limit_of_our_files(pixels):
    variants = encode_variants(pixels)
    operators = io.BytesIO()
    Image.fromarray(pixels).save(operators, "JPEG", quality=95)
    for data in (
        encode_png(pixels).data,
        encode_upload(pixels, "image/png")[0],
        encode_upload(pixels, "image/jpeg")[0],
        variants.normal.data,
        variants.high_quality.data,
        operators.getvalue(),
    ):
        assert len(data) / SIDE**2 * OF_OUR_OWN.max_pixels < OF_OUR_OWN.max_bytes


def test_what_is_taken_from_outside_is_within_the_limits_of_our_own():
    outside, ours = FROM_OUTSIDE, OF_OUR_OWN
    assert outside.max_bytes <= ours.max_bytes
    assert outside.max_pixels <= ours.max_pixels
    assert (outside.max_side, outside.min_side, outside.max_aspect) == (ours.max_side, ours.min_side, ours.max_aspect)
    assert outside.max_unpacked <= ours.max_unpacked
