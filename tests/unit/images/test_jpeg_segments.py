from __future__ import annotations

import pytest

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import MOST_EXTRA_BYTES, EndsTooSoon, Header
from posegen.images.jpeg_segments import MOST_SCANS, MOST_SEGMENTS, walk_jpeg
from tests.hostile_images import SIDE, encoded, jpeg_with, oriented, progressive, segment, with_scans


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_the_frame_header_says_how_large_a_picture_is(mode, options):
    assert walk_jpeg(encoded("JPEG", mode, **options)) == Header("JPEG", *SIDE)


def test_the_size_is_that_before_the_picture_is_turned():
    assert walk_jpeg(oriented(6)) == Header("JPEG", *SIDE)


def test_there_may_be_so_many_scans_and_no_more():
    plain = progressive(64, 64)

    assert walk_jpeg(with_scans(MOST_SCANS, plain)).width == 64
    with pytest.raises(ImageInvalid, match="more than 64 scans"):
        walk_jpeg(with_scans(MOST_SCANS + 1, plain))


def test_the_larger_the_picture_the_fewer_scans_it_may_have():
    plain = progressive(4000, 4000)

    assert walk_jpeg(with_scans(25, plain)).width == 4000
    with pytest.raises(ImageInvalid, match="more than 25 scans"):
        walk_jpeg(with_scans(26, plain))


def test_what_lies_beside_the_picture_may_take_so_much_and_no_more():
    comments = segment(0xFE, bytes(60_000 - 4)) * (MOST_EXTRA_BYTES // 60_000)
    jfif = 18  # Pillow's own segment, with its marker
    rest = MOST_EXTRA_BYTES % 60_000 - jfif - 4

    assert walk_jpeg(jpeg_with(comments, segment(0xFE, bytes(rest)))).width == SIDE[0]
    with pytest.raises(ImageInvalid, match="2,097,153 bytes of text"):
        walk_jpeg(jpeg_with(comments, segment(0xFE, bytes(rest + 1))))


def test_there_may_be_so_many_segments_and_no_more():
    empty = segment(0xFE, b"")

    assert walk_jpeg(jpeg_with(empty * (MOST_SEGMENTS - 20)))
    with pytest.raises(ImageInvalid, match="more than 2,000 segments"):
        walk_jpeg(jpeg_with(empty * MOST_SEGMENTS))


def test_fill_bytes_before_a_marker_are_passed_over():
    assert walk_jpeg(jpeg_with(b"\xff" * 1000 + segment(0xFE, b"x"))) == Header("JPEG", *SIDE)


def test_a_cut_is_noticed_wherever_it_is():
    for whole in (encoded("JPEG", quality=50), encoded("JPEG", quality=50, progressive=True)):
        for length in range(3, len(whole)):
            with pytest.raises((EndsTooSoon, IndexError)):
                walk_jpeg(whole[:length])
