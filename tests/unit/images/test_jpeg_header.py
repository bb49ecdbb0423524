from __future__ import annotations

import io

import pytest
from PIL import Image

from posegen.images.jpeg_header import LONGEST_XMP, write_header

PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def a_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 90)).save(file, "JPEG", quality=90, dpi=(11, 11))
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    image.load()
    return image


def markers(data: bytes) -> list[int]:
    found, at = [], 2
    while data[at + 1] != 0xDA:
        found.append(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found


def test_density_profile_and_packet_are_what_a_reader_finds():
    image = opened(write_header(a_jpeg(), dpi=300, icc_profile=b"profile" * 20, xmp=PACKET))

    assert image.info["dpi"] == (300, 300)
    assert image.info["icc_profile"] == b"profile" * 20
    assert image.info["xmp"] == PACKET
    assert image.getpixel((5, 5)) == opened(a_jpeg()).getpixel((5, 5))


def test_the_segments_come_in_the_order_that_readers_expect():
    written = write_header(a_jpeg(), dpi=72, icc_profile=b"profile", xmp=PACKET)

    assert markers(written)[:3] == [0xE0, 0xE1, 0xE2]
    assert markers(written).count(0xE0) == 1, "what the encoder wrote is gone"


def test_without_a_packet_there_is_no_segment_for_one():
    assert 0xE1 not in markers(write_header(a_jpeg(), dpi=72, icc_profile=b"profile"))


def test_a_profile_of_more_than_one_segment_is_put_together_again():
    profile = bytes(range(256)) * 600

    assert opened(write_header(a_jpeg(), dpi=72, icc_profile=profile)).info["icc_profile"] == profile


def test_the_longest_packet_fits_and_a_longer_one_is_refused():
    longest = b"x" * LONGEST_XMP

    assert opened(write_header(a_jpeg(), dpi=72, icc_profile=b"profile", xmp=longest)).info["xmp"] == longest
    with pytest.raises(ValueError, match="65,534"):
        write_header(a_jpeg(), dpi=72, icc_profile=b"profile", xmp=longest + b"x")


def test_what_begins_otherwise_is_refused():
    with pytest.raises(ValueError, match="89504e47"):
        write_header(b"\x89PNG\r\n", dpi=72, icc_profile=b"profile")
