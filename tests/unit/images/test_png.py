from __future__ import annotations

import io

import numpy as np
from PIL import Image

from posegen.generations.asking.judging import POSE_RESERVE_BYTES
from posegen.images.packets import find_packet
from posegen.images.png import encode_png
from posegen.images.provenance import Provenance, write_packet
from posegen.images.validation import open_image
from posegen.studio import POSE_SIDE


def test_a_png_keeps_every_pixel(picture):
    original = encode_png(picture)

    with Image.open(io.BytesIO(original.data), formats=["PNG"]) as image:
        assert (np.asarray(image) == picture).all()
    assert (original.width, original.height, original.content_type) == (1024, 1024, "image/png")


def test_equal_pixels_give_equal_bytes(picture):
    assert encode_png(picture).data == encode_png(picture.copy()).data


def test_a_packet_changes_no_pixel_and_can_be_opened(picture):
    packet = write_packet(Provenance(generator="Posegen, mannequin 1 – a test"))

    with_packet = encode_png(picture, xmp=packet)

    assert (open_image(with_packet.data) == picture).all()
    assert find_packet(io.BytesIO(with_packet.data)) == packet
    assert with_packet.data == encode_png(picture, xmp=packet).data


def test_the_reservation_is_enough_for_noise():
    noise = np.random.default_rng(0).integers(0, 256, (POSE_SIDE, POSE_SIDE, 3), dtype=np.uint8)

    assert len(encode_png(noise, xmp=b"x" * 2000).data) < POSE_RESERVE_BYTES
