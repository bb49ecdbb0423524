from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from posegen.errors import ImageInvalid
from posegen.images.color_profile import srgb_profile
from posegen.images.pixels import Pixels
from posegen.images.validation import FROM_OUTSIDE, OF_OUR_OWN, Limits, check_pixels, examine, open_image
from tests.hostile_images import encoded as any_encoded
from tests.hostile_images import heavy_png, png_of_rows, png_that_claims, with_chunks


@pytest.fixture(scope="module")
def small(picture: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(picture).resize((96, 64)))


def encoded(pixels: Pixels, kind: str, mode: str = "RGB", **options: object) -> bytes:
    return any_encoded(kind, mode, pixels, **options)


FORMATS = [
    ("PNG", {}),
    ("JPEG", {"quality": 95}),
    ("JPEG", {"quality": 95, "progressive": True}),
    ("WEBP", {"quality": 95}),
    ("WEBP", {"lossless": True}),
]


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_png_jpeg_and_webp_come_out_as_pixels(small, kind, options):
    pixels = open_image(encoded(small, kind, **options))

    assert pixels.shape == (64, 96, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - small).mean() < 3


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_a_file_that_was_cut_short_is_refused_wherever_the_cut_lies(small, kind, options):
    whole = encoded(small, kind, **options)
    accepted = []
    for length in [*range(0, len(whole), max(1, len(whole) // 150)), *range(len(whole) - 12, len(whole))]:
        try:
            open_image(whole[:length])
        except ImageInvalid:
            continue
        accepted.append(length)

    assert accepted == []


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_damaged_bytes_never_escape_as_another_error(small, kind, options):
    whole, random = encoded(small, kind, **options), np.random.default_rng(11)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for position in random.integers(0, min(len(whole), 300), 3):
            damaged[position] = random.integers(0, 256)
        try:
            assert open_image(bytes(damaged)).ndim == 3
        except ImageInvalid:
            refused += 1

    assert refused > 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00" * 100,
        b"RIFF\x00\x00\x00\x00WAVE",
    ],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ImageInvalid, match="PNG, JPEG or WebP"):
        open_image(data)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "JPEG2000", "AVIF"])
def test_other_picture_formats_are_refused(small, kind):
    with pytest.raises(ImageInvalid, match="PNG, JPEG or WebP"):
        open_image(encoded(small, kind))


def test_the_format_is_believed_from_its_first_bytes_alone(small):
    """A PNG that continues as something else must not reach the decoder of that other format."""
    with pytest.raises(ImageInvalid, match="PNG"):
        open_image(b"\x89PNG\r\n\x1a\n" + encoded(small, "JPEG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_appended_bytes_are_refused(small, kind):
    with pytest.raises(ImageInvalid, match="appended"):
        open_image(encoded(small, kind) + b"PK\x03\x04")


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (20_000, 20_000)])
def test_a_bomb_is_refused_by_its_header_before_anything_is_decoded(size, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageInvalid, match=f"{size[0]:,}x{size[1]:,} pixels"):
            open_image(png_that_claims(*size))


def test_a_bomb_of_zeros_is_refused_by_its_pixels():
    with pytest.raises(ImageInvalid, match=r"64,000,000 pixels .*at most 20,000,000"):
        open_image(png_that_claims(8000, 8000))


@pytest.mark.parametrize(
    ("size", "words"), [((1, 60_000), "at least 16"), ((1, 1), "at least 16"), ((16, 8000), "10 times")]
)
def test_extreme_shapes_are_refused(size, words):
    with pytest.raises(ImageInvalid, match=words):
        open_image(png_that_claims(*size))


def test_a_tall_jpeg_and_webp_are_measured_too():
    tall = np.full((4000, 20, 3), 90, dtype=np.uint8)
    for kind, options in FORMATS:
        with pytest.raises(ImageInvalid, match=r"20x4,000"):
            open_image(encoded(tall, kind, **options))


def test_what_unpacks_to_more_than_its_pixels_is_refused_with_both_figures():
    data = png_of_rows(4000, 4250, 16, 6, bytes(32_000))
    with pytest.raises(ImageInvalid, match="4,000x4,250 pixels unpacks to 136,000,000 bytes; 100,000,000 are accepted"):
        examine(data, FROM_OUTSIDE)

    assert examine(heavy_png(400, 300), FROM_OUTSIDE).pixel_bytes == 8


def test_less_may_come_from_outside_than_we_store_ourselves():
    print_export = png_that_claims(3300, 5100)
    for limits in (FROM_OUTSIDE, OF_OUR_OWN):
        assert (examine(print_export, limits).width, examine(print_export, limits).height) == (3300, 5100)
    with pytest.raises(ImageInvalid, match=r"18,000,000 pixels .*at most 17,000,000"):
        examine(png_that_claims(4000, 4500), FROM_OUTSIDE)
    assert examine(png_that_claims(4000, 4500), OF_OUR_OWN).height == 4500


def test_the_name_has_to_agree_with_the_file(small):
    assert examine(encoded(small, "JPEG"), FROM_OUTSIDE, suffix=".JPG").format == "JPEG"
    with pytest.raises(ImageInvalid, match=r"ends in \.png and the file is a JPEG"):
        examine(encoded(small, "JPEG"), FROM_OUTSIDE, suffix=".png")


def test_a_file_that_is_too_large_is_refused_with_both_figures(small):
    data = encoded(small, "PNG")
    with pytest.raises(ImageInvalid, match=rf"{len(data):,} bytes; at most 1,000"):
        open_image(data, Limits(max_bytes=1000, max_pixels=10_000))


def test_a_small_header_before_a_large_one_is_refused():
    """Pillow believes the last header of a PNG: the limits must not be checked on the first one alone."""
    second = png_that_claims(8000, 8000)[8:33]

    with pytest.raises(ImageInvalid, match="two headers"):
        open_image(with_chunks(second))


def test_a_webp_whose_canvas_is_not_its_pictures_is_refused(small):
    data = bytearray(encoded(small, "WEBP", icc_profile=srgb_profile()))
    assert data[12:16] == b"VP8X"
    data[24] += 16

    with pytest.raises(ImageInvalid, match="two sizes: 112x64 and 96x64"):
        open_image(bytes(data))


@pytest.mark.parametrize(
    "header", [b"\xff\xd8\xff\xc0\x00\x11\x08\x00", b"\xff\xd8\xff\xe0", b"RIFF\x08\x00\x00\x00WEBPVP8X"]
)
def test_a_header_that_breaks_off_is_called_truncated(header):
    with pytest.raises(ImageInvalid, match="truncated"):
        open_image(header)


def test_exif_that_is_none_does_no_harm(small):
    plain = open_image(encoded(small, "JPEG"))

    assert (open_image(encoded(small, "JPEG", exif=b"Exif\x00\x00what is this")) == plain).all()


def test_a_picture_that_moves_is_refused(small):
    first, second = Image.fromarray(small), Image.fromarray(255 - small)
    for kind in ("PNG", "WEBP"):
        file = io.BytesIO()
        first.save(file, kind, save_all=True, append_images=[second])
        with pytest.raises(ImageInvalid, match="several pictures"):
            open_image(file.getvalue())


def test_a_jpeg_of_several_pictures_is_refused(small):
    file = io.BytesIO()
    Image.fromarray(small).save(file, "MPO", save_all=True, append_images=[Image.fromarray(255 - small)])
    with pytest.raises(ImageInvalid, match="several pictures"):
        open_image(file.getvalue())


@pytest.mark.parametrize(("mode", "tolerance"), [("1", 128), ("L", 90), ("P", 60)])
def test_grey_and_palettes_become_rgb(small, mode, tolerance):
    pixels = open_image(encoded(small, "PNG", mode))

    assert pixels.shape == (64, 96, 3)
    assert np.abs(pixels.astype(int) - small).mean() < tolerance


def test_sixteen_bits_become_eight_without_clipping():
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (32, 1))
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG")

    pixels = open_image(file.getvalue())
    assert pixels[0, :, 0].tolist() == list(range(256))


def test_transparency_is_laid_on_white(small):
    for kind in ("PNG", "WEBP"):
        image = Image.fromarray(small).convert("RGBA")
        image.putalpha(0)
        file = io.BytesIO()
        image.save(file, kind)
        assert (open_image(file.getvalue()) == 255).all()


def test_a_transparent_palette_colour_is_laid_on_white():
    image = Image.new("P", (32, 32), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    file = io.BytesIO()
    image.save(file, "PNG", transparency=0)

    assert (open_image(file.getvalue()) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_comes_out_upright(small, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = open_image(encoded(small, "JPEG", exif=exif))

    assert pixels.shape == ((64, 96, 3) if orientation < 5 else (96, 64, 3))


def test_a_large_jpeg_may_come_smaller_when_that_is_enough():
    large = np.zeros((1600, 800, 3), dtype=np.uint8)
    large[:800] = 200
    pixels = open_image(encoded(large, "JPEG"), at_least=(150, 150))

    assert pixels.shape == (400, 200, 3)
    assert open_image(encoded(large, "PNG"), at_least=(150, 150)).shape == (1600, 800, 3)


def test_a_backends_picture_passes_when_it_is_what_was_asked_for(picture):
    check_pixels(picture, 1024, 1024)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((64, 64, 4), np.uint8), r"uint8 \(64, 64, 4\)"),
        (np.zeros((64, 64), np.uint8), r"\(64, 64\)"),
        (np.zeros((64, 64, 3), np.float32), "float32"),
        ([[1, 2, 3]], "list"),
        (np.zeros((64, 32, 3), np.uint8), "32x64 pixels; 64x64 were asked for"),
        (np.full((64, 64, 3), (255, 0, 16), np.uint8), "#ff0010"),
    ],
)
def test_a_backends_picture_that_is_not_what_was_asked_for_is_refused(pixels, words):
    with pytest.raises(ImageInvalid, match=words):
        check_pixels(pixels, 64, 64)


def test_one_other_pixel_is_enough_to_be_no_flat_colour():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[63, 63, 2] = 1

    check_pixels(pixels, 64, 64)
