"""Which way up a picture is: said in EXIF or XMP, in any place of any format, truly, wrongly, twice, or not at all."""

from __future__ import annotations

import subprocess
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from posegen.images.headers import read_header
from posegen.images.normalising import decode_upright
from posegen.images.orientation import orientation_of
from tests import icc_profiles, programs
from tests.hostile_images import chunk, encoded, icc_parts, jpeg_with, segment, small_picture, webp_chunk
from tests.orientations import (
    ASCII,
    BYTE,
    LONG,
    RATIONAL,
    SHORT,
    exif,
    places_of_exif,
    places_of_xmp,
    png_with,
    raw_profile,
    webp_with,
    xmp,
)

TURNS = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(np.swapaxes(pixels, 0, 1), 2),
    8: np.rot90,
}
"""What makes a stored picture upright, by the definition of each orientation in EXIF."""


def decoded(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(decode_upright(data, read_header(data)))


def is_turned(data: bytes, orientation: int, stored: NDArray[np.uint8] | None = None) -> bool:
    """Whether the small picture comes out as it lay, turned like this; within what a JPEG loses."""
    wanted = TURNS[orientation](small_picture() if stored is None else stored)
    found = decoded(data)
    return found.shape == wanted.shape and np.abs(found.astype(int) - wanted).mean() < 4


# --- where it is said -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_turns_the_picture_wherever_it_stands(orientation, order):
    for place, data in places_of_exif(exif(orientation, order=order)).items():
        assert is_turned(data, orientation), place


@pytest.mark.parametrize("as_element", [False, True])
@pytest.mark.parametrize("orientation", TURNS)
def test_xmp_turns_it_where_no_exif_says_anything(orientation, as_element):
    for place, data in places_of_xmp(xmp(orientation, as_element=as_element)).items():
        assert is_turned(data, orientation), place


def test_xmp_may_call_its_namespaces_anything():
    assert orientation_of(None, xmp(6, prefix="t")) == 6
    elsewhere = xmp(6).replace(b"http://ns.adobe.com/tiff/1.0/", b"http://example.com/")
    assert orientation_of(None, elsewhere) == 1


# --- two statements ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("in_exif", "in_xmp"), [(6, 3), (1, 8), (3, 1), (0, 6), (9, 6), (65_535, 6)])
def test_exif_counts_before_xmp_also_when_it_is_wrong(in_exif, in_xmp):
    block, packet = exif(in_exif), xmp(in_xmp)
    expected = in_exif if in_exif in TURNS else 1
    international = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    for data in (
        jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet), segment(0xE1, b"Exif\0\0" + block)),
        png_with(international, after=chunk(b"eXIf", block)),
        png_with(international, raw_profile("exif", block)),
        webp_with(webp_chunk(b"XMP ", packet), webp_chunk(b"EXIF", block)),
    ):
        assert is_turned(data, expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("silent", [exif(None), b"", b"II", b"II*\0\xff\xff\xff\xff", b"what is this", exif(6)[:20]])
def test_xmp_counts_where_the_exif_has_no_orientation(silent):
    packet = xmp(8)
    for data in (
        jpeg_with(segment(0xE1, b"Exif\0\0" + silent), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)),
        png_with(chunk(b"eXIf", silent), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)),
        webp_with(webp_chunk(b"EXIF", silent), webp_chunk(b"XMP ", packet)),
    ):
        assert is_turned(data, 8)


def test_of_two_blocks_the_first_counts():
    first, second = exif(6), exif(3)
    for data in (
        jpeg_with(segment(0xE1, b"Exif\0\0" + first), segment(0xE1, b"Exif\0\0" + second)),
        png_with(chunk(b"eXIf", first), after=chunk(b"eXIf", second)),
        png_with(raw_profile("exif", first), raw_profile("exif", second)),
        webp_with(webp_chunk(b"EXIF", first), webp_chunk(b"EXIF", second)),
        png_with(raw_profile("exif", second), after=chunk(b"eXIf", first)),
    ):
        assert is_turned(data, 6)
    for data in (
        jpeg_with(*(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(each)) for each in (6, 3))),
        webp_with(*(webp_chunk(b"XMP ", xmp(each)) for each in (6, 3))),
        png_with(*(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(each)) for each in (6, 3))),
    ):
        assert is_turned(data, 6)


def test_the_directory_of_a_thumbnail_says_nothing():
    block = exif(None)
    of_thumbnail = b"\0\1" + b"\1\x12\0\3\0\0\0\1\0\6\0\0" + bytes(4)

    assert orientation_of(block[:-4] + len(block).to_bytes(4, "big") + of_thumbnail, None) == 1


# --- wrong values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("value", "kind", "count", "orientation"),
    [
        (6, SHORT, 1, 6),
        (6, LONG, 1, 6),
        (6, BYTE, 1, 6),
        (0, SHORT, 1, 1),
        (9, SHORT, 1, 1),
        (65_535, SHORT, 1, 1),
        (65_542, LONG, 1, 1),
        (2**32 - 1, LONG, 1, 1),
        (6, SHORT, 0, 1),
        (6, SHORT, 2, 1),
        (6, RATIONAL, 1, 1),
        (ord("6"), ASCII, 1, 1),
        (ord("6"), ASCII, 2, 1),
    ],
)
def test_what_is_no_single_number_from_1_to_8_leaves_the_picture_as_it_lies(value, kind, count, order, orientation):
    block = exif(value, kind=kind, count=count, order=order)

    assert orientation_of(block, None) == orientation_of(b"Exif\0\0" + block, xmp(3)) == orientation


@pytest.mark.parametrize("value", ["0", "9", "65535", "06", "6.0", "-6", "", " ", "six", "٦", "6 3"])
def test_an_xmp_that_says_nothing_of_the_kind_leaves_it_too(value):
    assert orientation_of(None, xmp(value)) == 1


@given(st.binary(max_size=80))
def test_no_exif_and_no_xmp_whatever_is_in_it_is_an_error(junk):
    for block in (junk, b"Exif\0\0II*\0" + junk, b"MM\0*\0\0\0\x08" + junk):
        assert 1 <= orientation_of(block, junk) <= 8


@given(st.binary(max_size=200))
def test_no_raw_profile_whatever_is_in_it_is_an_error(junk):
    for name in (b"tEXt", b"zTXt"):
        for text in (junk, b"\nexif\n" + junk, zlib.compress(b"\nexif\n 3\n" + junk)):
            assert decoded(png_with(chunk(name, b"Raw profile type exif\0\0" + text))).shape == (64, 96, 3)


# --- together with a profile ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_with_a_profile_is_turned_and_converted(orientation):
    profile, signed = icc_profiles.wide_rgb(), b"Exif\0\0" + exif(orientation)
    in_srgb = decoded(encoded("PNG", icc_profile=profile))
    assert np.abs(in_srgb.astype(int) - small_picture()).mean() > 5, "the profile changes the colours"
    iccp = chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))
    jpeg = encoded("JPEG", quality=95, subsampling=0)
    for data in (
        png_with(iccp, after=chunk(b"eXIf", exif(orientation))),
        png_with(raw_profile("exif", signed), iccp),
        jpeg_with(icc_parts(profile), segment(0xE1, signed), whole=jpeg),
        jpeg_with(segment(0xE1, signed), icc_parts(profile), whole=jpeg),
        webp_with(webp_chunk(b"EXIF", signed), profile=profile),
        webp_with(webp_chunk(b"XMP ", xmp(orientation)), profile=profile),
    ):
        assert is_turned(data, orientation, in_srgb)


def test_of_two_profiles_in_a_png_the_first_that_can_be_unpacked_counts():
    wide, plain = (chunk(b"iCCP", b"x\0\0" + zlib.compress(each)) for each in (icc_profiles.wide_rgb(), b"none"))
    converted = decoded(png_with(wide))

    assert np.array_equal(decoded(png_with(wide, plain)), converted)
    assert np.array_equal(decoded(png_with(chunk(b"iCCP", b"x\0\0broken"), wide)), converted)
    assert np.array_equal(decoded(png_with(chunk(b"sRGB", b"\0"), wide)), converted)
    assert np.array_equal(decoded(png_with(after=wide)), small_picture())


def test_a_lying_jpeg_that_may_come_smaller_is_as_large_as_was_asked():
    """What is asked for are sides of the upright picture."""
    stored = np.zeros((1600, 400, 3), np.uint8)
    data = jpeg_with(segment(0xE1, b"Exif\0\0" + exif(6)), whole=encoded("JPEG", pixels=stored))

    found = decode_upright(data, read_header(data), (800, 100))

    assert found.size == (800, 200)


# --- the yardstick ----------------------------------------------------------------------------------------------------


def test_libvips_turns_them_likewise(tmp_path):
    programs.need("orientation as libvips has it")
    for value in (0, 5, 6, 7, 8, 9):
        for place in ("JPEG APP1", "PNG eXIf", "WebP EXIF"):
            (tmp_path / "in").write_bytes(data := places_of_exif(exif(value))[place])
            subprocess.run(["vips", "autorot", "in", "out.png"], cwd=tmp_path, check=True)
            with Image.open(tmp_path / "out.png") as turned:
                theirs = np.asarray(turned.convert("RGB"))
            ours = decoded(data)
            assert ours.shape == theirs.shape, (place, value)
            assert np.abs(ours.astype(int) - theirs).mean() < 4, (place, value)
