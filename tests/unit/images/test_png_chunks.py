from __future__ import annotations

import tracemalloc
import zlib

import pytest

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import MOST_EXTRA_BYTES, EndsTooSoon, Header
from posegen.images.png_chunks import MOST_CHUNKS, walk_png
from tests.hostile_images import END, SIDE, chunk, encoded, header, png, small_picture, with_chunks


@pytest.mark.parametrize(("mode", "pixel_bytes"), [("RGB", 3), ("RGBA", 4), ("L", 1), ("LA", 2), ("P", 1), ("1", 1)])
def test_the_header_says_how_large_a_picture_is_and_unpacks_to(mode, pixel_bytes):
    assert walk_png(encoded("PNG", mode)) == Header("PNG", *SIDE, pixel_bytes)


def test_sixteen_bits_unpack_to_twice_as_much():
    row = zlib.compress(b"\0" + bytes(16 * 8))
    assert walk_png(png(header(16, 1, bits=16, colours=6), chunk(b"IDAT", row), END)).pixel_bytes == 8


def test_what_lies_beside_the_picture_may_take_so_much_and_no_more():
    most = chunk(b"prVt", bytes(MOST_EXTRA_BYTES - 12))

    assert walk_png(with_chunks(most)).width == SIDE[0]
    with pytest.raises(ImageInvalid, match="2,097,164 bytes of text"):
        walk_png(with_chunks(most, chunk(b"prVt", b"")))


def test_compressed_texts_may_swell_to_so_much_together_and_no_more():
    half = zlib.compress(bytes(MOST_EXTRA_BYTES // 2))
    texts = [chunk(b"zTXt", b"One\0\0" + half), chunk(b"iTXt", b"Two\0\1\0en\0zwei\0" + half)]

    assert walk_png(with_chunks(*texts)).width == SIDE[0]
    with pytest.raises(ImageInvalid, match="iCCP is a bomb"):
        walk_png(with_chunks(*texts, chunk(b"iCCP", b"Three\0\0" + zlib.compress(b"x"))))


def test_a_bomb_is_not_unpacked_to_its_end():
    bomb = chunk(b"zTXt", b"One\0\0" + zlib.compress(bytes(100_000_000)))
    data = with_chunks(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ImageInvalid, match="zTXt is a bomb"):
            walk_png(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 5 * MOST_EXTRA_BYTES


def test_a_text_that_is_not_compressed_is_not_unpacked():
    bomb = zlib.compress(bytes(10 * MOST_EXTRA_BYTES))

    assert walk_png(with_chunks(chunk(b"iTXt", b"One\0\0\0en\0\0" + bomb), chunk(b"tEXt", b"Two\0" + bomb)))


def test_a_compressed_text_that_cannot_be_read_harms_nobody():
    for broken in (b"", b"One", b"One\0", b"One\0\0", b"One\0\0no zlib at all"):
        assert walk_png(with_chunks(chunk(b"zTXt", broken), chunk(b"iTXt", broken), chunk(b"iCCP", broken)))


def test_a_picture_may_come_in_so_many_pieces_and_no_more():
    whole = encoded("PNG")
    pieces = chunk(b"IDAT", b"") * (MOST_CHUNKS - 3)

    assert walk_png(whole[:33] + pieces + whole[33:])
    with pytest.raises(ImageInvalid, match="more than 20,000 chunks"):
        walk_png(whole[:33] + pieces + chunk(b"IDAT", b"") + whole[33:])


def test_a_cut_is_noticed_wherever_it_is():
    whole = encoded("PNG")
    for length in range(8, len(whole)):
        with pytest.raises(EndsTooSoon):
            walk_png(whole[:length])


def test_any_other_bit_is_noticed_by_the_checksums():
    whole = bytearray(encoded("PNG", pixels=small_picture()[:20, :20]))
    for at in range(8, len(whole)):
        whole[at] ^= 0x10
        with pytest.raises((ImageInvalid, EndsTooSoon)):
            walk_png(bytes(whole))
        whole[at] ^= 0x10
