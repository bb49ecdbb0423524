"""A print as a PDF, opened by PDFium: real size, every pixel, the boxes that a print shop looks for."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pypdfium2
import pytest

from posegen.designs.print_page import encode_page
from posegen.images.color_profile import srgb_profile
from posegen.images.pixels import Pixels

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(4).integers(0, 256, (600, 900, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def data(pixels: Pixels) -> bytes:
    return encode_page(pixels, dpi=300, bleed=3, title="ไป (ok) \\ 🎂", xmp=XMP).data


def test_a_page_has_the_size_of_its_pixels_at_300_dpi(data: bytes) -> None:
    with pypdfium2.PdfDocument(data) as document:
        (page,) = document
        assert page.get_size() == (900 / 300 * 72, 600 / 300 * 72)


def test_every_pixel_is_on_the_page_as_it_was(data: bytes, pixels: Pixels) -> None:
    with pypdfium2.PdfDocument(data) as document:
        shown = document[0].render(scale=299.9999 / 72).to_numpy()  # PDFium rounds up

    assert (shown[..., 2::-1] == pixels).all()


def test_what_is_cut_off_is_marked(data: bytes) -> None:
    bleed = 3 / 25.4 * 72
    with pypdfium2.PdfDocument(data) as document:
        page = document[0]
        assert page.get_bleedbox() == page.get_mediabox() == (0, 0, 216, 144)
        assert page.get_trimbox() == pytest.approx((bleed, bleed, 216 - bleed, 144 - bleed), abs=0.001)


def test_the_title_is_there_in_any_script(data: bytes) -> None:
    with pypdfium2.PdfDocument(data) as document:
        assert document.get_metadata_value("Title") == "ไป (ok) \\ 🎂"
        assert document.get_version() == 17


def test_the_colours_are_named_and_the_provenance_is_there(data: bytes) -> None:
    assert zlib.compress(srgb_profile()) in data
    assert b"/ColorSpace [/ICCBased 6 0 R]" in data
    assert XMP in data


def test_every_object_lies_where_the_table_says(data: bytes) -> None:
    table = data[int(re.findall(rb"startxref\n(\d+)", data)[0]) :]
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", table)]

    assert len(places) == 8
    assert [data[place : place + 8].split()[0] for place in places] == [b"%d" % number for number in range(1, 9)]


def test_the_same_print_gives_the_same_bytes(data: bytes, pixels: Pixels) -> None:
    assert encode_page(pixels, dpi=300, bleed=3, title="ไป (ok) \\ 🎂", xmp=XMP).data == data
