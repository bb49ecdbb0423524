from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posegen.errors import UnknownName
from posegen.images.thumbnail_sizes import STANDARD, ThumbnailSize, thumbnail_sizes
from posegen.images.thumbnails import encode_thumbnail


def opened(data: bytes) -> NDArray[np.float64]:
    with Image.open(io.BytesIO(data), formats=["WEBP", "PNG"]) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def test_a_thumbnail_is_a_small_square_webp(picture):
    thumbnail = encode_thumbnail(picture)

    assert opened(thumbnail.data).shape == (400, 400, 3)
    assert (thumbnail.width, thumbnail.height, thumbnail.content_type) == (400, 400, "image/webp")
    assert len(thumbnail.data) < 20_000


def test_a_thumbnail_shows_the_picture_faithfully(picture):
    reference = np.asarray(Image.fromarray(picture).resize((400, 400), Image.Resampling.LANCZOS), dtype=float)

    assert np.abs(opened(encode_thumbnail(picture).data) - reference).mean() < 2.5


def test_equal_pixels_give_equal_bytes(picture):
    assert encode_thumbnail(picture).data == encode_thumbnail(picture.copy()).data


@pytest.mark.parametrize("size", [STANDARD, ThumbnailSize(16, "png"), *thumbnail_sizes("200.png,1024.webp,1024.png")])
def test_the_reservation_is_enough_for_noise(noise, size):
    packet = b"x" * 5000
    assert len(encode_thumbnail(noise, size=size, xmp=packet).data) < size.reserve_bytes + len(packet)
    assert len(encode_thumbnail(noise[:400, :400], size=size).data) < size.reserve_bytes


def test_other_sizes_and_png_are_made_as_faithfully(picture):
    reference = np.asarray(Image.fromarray(picture).resize((200, 200), Image.Resampling.LANCZOS), dtype=float)

    thumbnail = encode_thumbnail(picture, size=ThumbnailSize(200, "png"), xmp=b"<x:xmpmeta/>")

    assert (thumbnail.width, thumbnail.height, thumbnail.content_type) == (200, 200, "image/png")
    assert np.abs(opened(thumbnail.data) - reference).mean() < 1
    assert b"<x:xmpmeta/>" in thumbnail.data


@pytest.mark.parametrize("written", ["", "400", "400.jpg", "15.webp", "1025.png", "0400.webp", "400.webp,400.webp"])
def test_a_size_that_is_none_is_refused_by_its_name(written):
    with pytest.raises(UnknownName, match=r"400\.webp|once"):
        thumbnail_sizes(written)


def test_a_packet_is_written_into_it(picture):
    with Image.open(io.BytesIO(encode_thumbnail(picture, xmp=b"<x:xmpmeta/>").data)) as image:
        assert image.info["xmp"] == b"<x:xmpmeta/>"
    with Image.open(io.BytesIO(encode_thumbnail(picture).data)) as image:
        assert "xmp" not in image.info
