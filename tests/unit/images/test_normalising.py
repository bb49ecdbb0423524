"""Whatever kind of picture comes in, plain upright sRGB comes out, in the colours that were meant."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from posegen.errors import ImageInvalid
from posegen.images.file_bytes import Header
from posegen.images.headers import read_header
from posegen.images.normalising import decode_upright
from tests import icc_profiles
from tests.hostile_images import (
    SIDE,
    chunk,
    encoded,
    exif_that_bites_its_tail,
    icc_parts,
    jpeg_with,
    oriented,
    png_of_rows,
    segment,
    small_picture,
    with_chunks,
    without,
)


def decoded(data: bytes) -> np.ndarray:
    image = decode_upright(data, read_header(data))
    assert image.mode == "RGB"
    return np.asarray(image)


def flat(*colour: int) -> np.ndarray:
    return np.full((32, 32, len(colour)), colour, np.uint8)


def file_of(colour: tuple[int, ...], mode: str, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (32, 32), colour).save(file, kind, **options)
    return file.getvalue()


def middle(data: bytes) -> list[int]:
    return decoded(data)[16, 16].tolist()


# --- kinds of pixels ------------------------------------------------------------------------------------------------


def test_an_ordinary_png_comes_out_to_the_bit():
    assert np.array_equal(decoded(encoded("PNG")), small_picture())


def test_one_bit_becomes_black_and_white():
    assert set(np.unique(decoded(encoded("PNG", "1")))) == {0, 255}


def test_a_palette_becomes_its_colours():
    quantized = Image.fromarray(small_picture()).quantize(32)
    file = io.BytesIO()
    quantized.save(file, "PNG")

    assert np.array_equal(decoded(file.getvalue()), np.asarray(quantized.convert("RGB")))


def test_sixteen_bits_keep_their_upper_eight():
    row = b"".join(value.to_bytes(2, "big") for value in range(0, 65536, 2048))
    grey = png_of_rows(32, 16, 16, 0, row)
    colour = png_of_rows(32, 16, 16, 2, b"".join(row[at : at + 2] * 3 for at in range(0, 64, 2)))

    for data in (grey, colour):
        assert decoded(data)[0, :, 1].tolist() == list(range(0, 256, 8))


@pytest.mark.parametrize("profile", [None, icc_profiles.wide_rgb(), icc_profiles.grey(2.2)])
@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (10, 20, 30, 0)), ("LA", (10, 0))])
def test_transparency_is_laid_on_white_whatever_the_profile(mode, clear, profile):
    assert middle(file_of(clear, mode, icc_profile=profile)) == [255, 255, 255]


def test_half_transparency_is_half_white():
    assert middle(file_of((0, 100, 200, 128), "RGBA")) == pytest.approx([127, 177, 227], abs=1)


def test_a_grey_level_that_is_named_transparent_is_laid_on_white():
    file = io.BytesIO()
    Image.new("L", (32, 32), 80).save(file, "PNG", transparency=80)

    assert middle(file.getvalue()) == [255, 255, 255]


# --- four inks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_four_inks_without_a_profile_are_taken_as_ideal(ink, colour):
    with_adobe = file_of(ink, "CMYK", "JPEG", quality=95)
    assert b"Adobe" in with_adobe
    for data in (with_adobe, without(with_adobe, 0xEE)):
        assert middle(data) == pytest.approx(colour, abs=2)


def test_four_inks_with_a_profile_have_the_colours_of_that_press():
    cyan = middle(file_of((255, 0, 0, 0), "CMYK", "JPEG", quality=95, icc_profile=icc_profiles.press()))

    assert cyan == pytest.approx([0, 164, 232], abs=3)  # Lab (60, -35, -50)


# --- profiles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_wide_profile_is_honoured(kind):
    """A pale green of Adobe RGB is a stronger one in sRGB."""
    options = {"lossless": True} if kind == "WEBP" else {"subsampling": 0, "quality": 95} if kind == "JPEG" else {}
    plain, wide = (
        middle(file_of((120, 180, 120), "RGB", kind, icc_profile=profile, **options))
        for profile in (None, icc_profiles.wide_rgb())
    )

    assert plain == pytest.approx([120, 180, 120], abs=2)
    assert wide == pytest.approx([80, 181, 117], abs=3)  # by the matrices of both standards


def test_a_grey_profile_is_honoured():
    assert middle(file_of((128,), "L", icc_profile=icc_profiles.grey(1.0))) == pytest.approx([188] * 3, abs=1)
    assert middle(file_of((128, 255), "LA", icc_profile=icc_profiles.grey(1.0))) == pytest.approx([188] * 3, abs=1)


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        b"",
        icc_profiles.grey(1.0),
        icc_profiles.press(),
        icc_profiles.wide_rgb()[:-1],
        icc_profiles.wide_rgb() + b"x",
        icc_profiles.wide_rgb().replace(b"mntr", b"link"),
        icc_profiles.wide_rgb().replace(b"acsp", b"ACSP"),
        icc_profiles.wide_rgb()[:140] + bytes(len(icc_profiles.wide_rgb()) - 140),
        icc_profiles.wide_rgb()[:128] + b"\xff" * (len(icc_profiles.wide_rgb()) - 128),
        icc_profiles.wide_rgb().replace(b"RGB XYZ ", b"Lab XYZ "),
    ],
)
def test_a_profile_that_does_not_fit_is_left_aside(profile):
    assert middle(file_of((120, 180, 120), "RGB", icc_profile=profile)) == [120, 180, 120]


def test_a_profile_whose_parts_are_not_all_there_is_left_aside():
    whole = icc_parts(icc_profiles.wide_rgb() * 200)
    assert np.array_equal(decoded(jpeg_with(whole[: 60_000 + 18], whole=encoded("JPEG"))), decoded(encoded("JPEG")))


# --- lying pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_lying_picture_is_put_upright(orientation):
    """The corner that is light at the upper left ends up where the camera says that it was."""
    at = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}[orientation]
    pixels = decoded(oriented(orientation))

    assert pixels.shape[:2] == (SIDE[::-1] if orientation < 5 else SIDE)
    assert pixels[at].min() > 230
    others = [pixels[corner].min() for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)) if corner != at]
    assert max(others) < 230


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_other_formats_may_lie_too(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoded(encoded(kind, exif=exif)).shape[:2] == SIDE


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0what is this", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_exif_that_is_none_does_no_harm(exif):
    plain = encoded("JPEG")
    for data in (jpeg_with(segment(0xE1, exif), whole=plain), jpeg_with(segment(0xE1, exif_that_bites_its_tail()))):
        assert decoded(data).shape[:2] == SIDE[::-1]
    assert decoded(with_chunks(chunk(b"eXIf", exif[6:]))).shape[:2] == SIDE[::-1]


# --- what cannot be decoded -------------------------------------------------------------------------------------------


def test_a_file_that_tells_two_sizes_is_refused():
    with pytest.raises(ImageInvalid, match="PNG of 64x96 pixels says elsewhere that it has 96x64"):
        decode_upright(encoded("PNG"), Header("PNG", *SIDE[::-1]))


def test_a_file_is_opened_as_the_format_it_was_found_to_be_and_no_other():
    with pytest.raises(ImageInvalid, match="PNG is truncated or damaged: its header cannot be read"):
        decode_upright(encoded("GIF", "P"), Header("PNG", *SIDE))


def test_a_second_picture_that_the_walk_has_missed_is_refused_all_the_same():
    file = io.BytesIO()
    Image.fromarray(small_picture()).save(file, "WEBP", save_all=True, append_images=[Image.new("RGB", SIDE)])
    with pytest.raises(ImageInvalid, match="holds 2 pictures"):
        decode_upright(file.getvalue(), Header("WEBP", *SIDE))


def test_too_little_memory_is_a_refusal(monkeypatch):
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    data = encoded("PNG", "P")
    monkeypatch.setattr(Image.Image, "convert", exhausted)
    with pytest.raises(ImageInvalid, match="PNG of 96x64 pixels takes more memory than there is"):
        decode_upright(data, Header("PNG", *SIDE))
