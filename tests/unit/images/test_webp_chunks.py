from __future__ import annotations

import pytest

from posegen.errors import ImageInvalid
from posegen.images.color_profile import srgb_profile
from posegen.images.file_bytes import MOST_EXTRA_BYTES, EndsTooSoon, Header
from posegen.images.webp_chunks import MOST_CHUNKS, walk_webp
from tests.hostile_images import SIDE, encoded, extended, riff, webp_chunk


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"icc_profile": srgb_profile(), "exif": b"Exif\0\0x"}])
def test_the_size_is_read_from_every_kind(mode, options):
    assert walk_webp(encoded("WEBP", mode, **options)) == Header("WEBP", *SIDE)


def test_what_lies_beside_the_picture_may_take_so_much_and_no_more():
    picture = encoded("WEBP")[12:]
    for size, is_taken in ((MOST_EXTRA_BYTES - 8, True), (MOST_EXTRA_BYTES - 7, False)):
        data = riff(extended(*SIDE, 4), picture, webp_chunk(b"XMP ", bytes(size)))
        if is_taken:
            assert walk_webp(data) == Header("WEBP", *SIDE)
        else:
            with pytest.raises(ImageInvalid, match="2,097,153 bytes of text"):
                walk_webp(data)


def test_there_may_be_so_many_chunks_and_no_more():
    picture, empty = encoded("WEBP")[12:], webp_chunk(b"ABCD", b"")

    assert walk_webp(riff(extended(*SIDE), empty * (MOST_CHUNKS - 2), picture))
    with pytest.raises(ImageInvalid, match="more than 1,000 chunks"):
        walk_webp(riff(extended(*SIDE), empty * (MOST_CHUNKS - 1), picture))


def test_a_picture_that_does_not_begin_as_one_does_is_refused():
    for lossless in (False, True):
        whole = bytearray(encoded("WEBP", lossless=lossless))
        whole[20 if lossless else 23] ^= 0xFF
        with pytest.raises(ImageInvalid, match="does not begin as one does"):
            walk_webp(bytes(whole))


def test_a_cut_is_noticed_wherever_it_is():
    for whole in (encoded("WEBP"), encoded("WEBP", lossless=True), encoded("WEBP", icc_profile=srgb_profile())):
        for length in range(12, len(whole)):
            with pytest.raises(EndsTooSoon):
                walk_webp(whole[:length])
