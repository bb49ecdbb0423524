"""Every kind of PNG comes out as libpng has it: bit depths, palettes, interlacing, filters, and transparency by key."""

from __future__ import annotations

import re
import subprocess
import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from posegen.errors import ImageInvalid
from posegen.images.headers import read_header
from posegen.images.normalising import decode_upright
from tests import icc_profiles, programs
from tests.hostile_images import END, chunk, header, png
from tests.libpng import pixels_by_libpng
from tests.png_files import GREY, GREY_ALPHA, KINDS, PALETTE, RGB, RGBA, PngFile, any_png, key, laid_on_white, with_key

KEYED = [(bits, colours) for bits, colours in KINDS if colours in (GREY, RGB, PALETTE)]
FILES = 12
"""Of each kind, half of them interlaced."""


def decoded(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(decode_upright(data, read_header(data)))


def files_of(bits: int, colours: int) -> list[PngFile]:
    """Files of a kind with random samples, in sizes from 1x1 to 40x40, in one and in many pieces."""
    random = np.random.default_rng([bits, colours])
    sizes = [(1, 1), (5, 1), (1, 6), (2, 3), *random.integers(1, 41, (FILES - 4, 2)).tolist()]
    return [
        any_png(
            random,
            bits,
            colours,
            size,
            interlaced=bool(number % 2),
            piece=(None, 1, 7, 300)[number % 4],
            empty_pieces=number % 3 == 0,
        )
        for number, size in enumerate(sizes)
    ]


def keyed_files_of(bits: int, colours: int) -> list[PngFile]:
    random = np.random.default_rng([bits, colours, 1])
    return [with_key(random, file) for file in files_of(bits, colours)]


def one(bits: int, colours: int, **options: object) -> PngFile:
    return any_png(np.random.default_rng(7), bits, colours, (19, 13), **options)


# --- every kind -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "colours"), KINDS)
def test_every_kind_comes_out_to_the_bit(bits, colours):
    for file in files_of(bits, colours):
        assert np.array_equal(decoded(file.data()), file.pixels()), file


@pytest.mark.parametrize(("bits", "colours"), KEYED)
def test_what_a_key_names_is_laid_on_white_and_nothing_else(bits, colours):
    for file in keyed_files_of(bits, colours):
        assert np.array_equal(decoded(file.data()), file.pixels()), file


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("bits", "colours"), [(bits, colours) for bits, colours in KEYED if colours != PALETTE])
def test_a_colour_that_differs_from_the_key_in_one_bit_stays(bits, colours, interlaced):
    for bit in range(bits):
        file = one(bits, colours, interlaced=interlaced)
        file.samples[:] = file.samples[0, 0]
        named = file.samples[0, 0].tolist()
        file.samples[5:, :, 0] ^= 1 << bit
        pixels = decoded(replace(file, transparency=key(*named)).data())

        assert (pixels[:5] == 255).all()
        assert np.array_equal(pixels[5:], file.pixels()[5:])


def test_a_transparent_pixel_is_white_also_behind_a_profile():
    dark = np.full((16, 16, 3), 0x1234, np.uint16)
    for bits, colours, profile in ((16, RGB, icc_profiles.wide_rgb()), (4, GREY, icc_profiles.grey(1.0))):
        samples = dark[..., : 3 if colours == RGB else 1] & (2**bits - 1)
        icc = chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))
        file = PngFile(samples, bits, colours, before=icc, transparency=key(*samples[0, 0].tolist()))

        assert (decoded(file.data()) == 255).all()


def test_of_sixteen_bits_the_upper_eight_are_kept():
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)

    assert np.array_equal(decoded(PngFile(samples, 16, GREY).data())[..., 0], samples[..., 0] >> 8)
    assert np.array_equal(decoded(PngFile(samples.repeat(3, 2), 16, RGB).data())[..., 0], samples[..., 0] >> 8)


# --- transparency that is written otherwise than it should be ---------------------------------------------------------


@pytest.mark.parametrize(("bits", "colours"), [kind for kind in KINDS if kind[1] != PALETTE])
def test_a_key_of_another_length_than_its_colours_have_is_left_aside(bits, colours):
    file = one(bits, colours)
    for length in {0, 1, 2, 3, 5, 6, 8, 256} - {{GREY: 2, RGB: 6}.get(colours)}:
        assert np.array_equal(decoded(replace(file, transparency=bytes(length)).data()), file.pixels())


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_may_have_fewer_alphas_than_colours_but_not_more(bits):
    file = one(bits, PALETTE)
    file = replace(file, palette=np.resize(file.palette, (2**bits, 3)))
    for count, is_taken in ((0, False), (1, True), (2**bits - 1, True), (2**bits, True), (2**bits + 1, False)):
        pixels = decoded(replace(file, transparency=bytes(count)).data())
        clear = (file.samples[..., 0] < count) & is_taken

        assert np.array_equal(pixels, np.where(clear[..., None], 255, file.pixels()))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_samples_beyond_the_palette_are_black(bits):
    file = one(bits, PALETTE)
    file.samples[:] = 2**bits - 1
    file.samples[0] = 0
    file = replace(file, palette=np.array([[10, 200, 30]], np.uint8), transparency=b"\x80")

    assert np.array_equal(decoded(file.data()), file.pixels())
    assert not file.pixels()[1:].any()


def test_bits_of_a_key_that_no_sample_has_do_not_count():
    for bits, colours in ((1, GREY), (2, GREY), (4, GREY), (8, GREY), (8, RGB)):
        file = one(bits, colours)
        named = [level | 0x8000 | 1 << bits for level in file.samples[0, 0].tolist()]
        file = replace(file, transparency=key(*named))

        assert np.array_equal(decoded(file.data()), file.pixels())
        assert (file.pixels()[0, 0] == 255).all()


def test_a_key_in_the_wrong_place_is_left_aside():
    file = one(8, RGB)
    named = chunk(b"tRNS", key(*file.samples[0, 0].tolist()))
    for misplaced in (replace(file, after=named), replace(file, before=named, palette=np.zeros((3, 3), np.uint8))):
        pixels = decoded(misplaced.data())

        assert np.array_equal(pixels, file.pixels())
    of_palette = replace(one(4, PALETTE), before=chunk(b"tRNS", bytes(1)))
    assert np.array_equal(decoded(of_palette.data()), replace(of_palette, before=b"").pixels())


def test_of_two_keys_the_first_counts():
    file = one(8, GREY)
    first, second = (chunk(b"tRNS", key(level)) for level in np.unique(file.samples)[:2].tolist())

    pixels = decoded(replace(file, before=first + second).data())

    assert np.array_equal(pixels, replace(file, transparency=first[8:-4]).pixels())


# --- what lies beside the picture -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside",
    [
        chunk(b"gAMA", (100_000).to_bytes(4, "big")),
        chunk(b"gAMA", (35_000).to_bytes(4, "big")),
        chunk(b"gAMA", b"\0"),
        chunk(b"cHRM", bytes(range(32))),
        chunk(b"sRGB", b"\x09"),
        chunk(b"sBIT", b"\1"),
        chunk(b"cICP", b"\x0c\x0d\0\1"),
        chunk(b"pHYs", b"x"),
        chunk(b"iCCP", b""),
        chunk(b"iCCP", b"x\0\7x"),
        chunk(b"zTXt", b"Comment\0\7x"),
        chunk(b"tEXt", b"interlace\0001"),
        chunk(b"tEXt", b"transparency\0\0\0\0"),
        chunk(b"tEXt", b"icc_profile\0none"),
    ],
    ids=lambda beside: ascii(beside[4:20])[2:-1],
)
def test_no_other_chunk_changes_a_pixel(beside):
    random = np.random.default_rng(9)
    for bits, colours in KINDS:
        file = one(bits, colours)
        file = with_key(random, file) if (bits, colours) in KEYED else file

        assert np.array_equal(decoded(replace(file, before=beside).data()), file.pixels()), file


def test_a_background_is_no_ground_to_lay_transparency_on():
    file = one(8, RGBA)
    at = file.data().index(b"IDAT") - 4
    data = file.data()[:at] + chunk(b"bKGD", key(0, 0, 255)) + file.data()[at:]

    assert np.array_equal(decoded(data), file.pixels())


# --- pictures that are not all there ----------------------------------------------------------------------------------


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("bits", "colours"), KINDS)
def test_data_that_end_before_the_last_row_are_a_refusal(bits, colours, interlaced):
    """Pillow leaves such rows black."""
    file = one(bits, colours, interlaced=interlaced)
    rows = file.filtered()
    of_picture = chunk(b"PLTE", bytes(3 * 2**bits)) if colours == PALETTE else b""
    for missing in (1, 2, len(rows) // 2, len(rows)):
        data = zlib.compress(rows[: len(rows) - missing])
        whole = png(header(19, 13, bits, colours, int(interlaced)), of_picture, chunk(b"IDAT", data), END)
        with pytest.raises(ImageInvalid, match="truncated"):
            decoded(whole)


def test_a_whole_row_that_is_missing_is_noticed_and_a_black_one_is_none():
    for interlaced in (False, True):
        file = one(8, RGB, interlaced=interlaced)
        file.samples[-3:] = 0
        rows = file.filtered()

        assert np.array_equal(decoded(file.data()), file.pixels())
        cut = png(header(19, 13, 8, 2, int(interlaced)), chunk(b"IDAT", zlib.compress(rows[: -(1 + 3 * 19)])), END)
        with pytest.raises(ImageInvalid, match="truncated: its data end before its last row"):
            decoded(cut)


def test_a_missing_row_of_the_last_pass_is_noticed_though_the_last_row_is_there():
    file = one(8, RGB, interlaced=True)
    rows = file.filtered()[: -(1 + 3 * 19)]
    assert file.samples[-1].any()

    with pytest.raises(ImageInvalid, match="truncated: its data end before its last row"):
        decoded(png(header(19, 13, 8, 2, 1), chunk(b"IDAT", zlib.compress(rows)), END))


@pytest.mark.parametrize("length", [0, 1, 4, 769, 771])
def test_a_palette_of_no_possible_length_is_refused(length):
    data = png(header(19, 13, 4, PALETTE), chunk(b"PLTE", bytes(length)), chunk(b"IDAT", b""), END)

    with pytest.raises(ImageInvalid, match=f"palette has {length} bytes; 3 for each of 1 to 256 colours"):
        read_header(data)


# --- the yardstick ----------------------------------------------------------------------------------------------------


def test_libpng_gives_the_same_pixels():
    programs.need("PNG as libpng decodes it")
    files = [file for kind in KINDS for file in files_of(*kind)]
    files += [file for kind in KEYED for file in keyed_files_of(*kind)]
    files += [replace(one(8, RGB), transparency=b"\0\0"), replace(one(2, PALETTE), transparency=bytes(5))]

    for file, found in zip(files, pixels_by_libpng([file.data() for file in files]), strict=True):
        assert found is not None, file
        assert np.array_equal(laid_on_white(found[..., :3], found[..., 3]), file.pixels()), file


def test_pngtopnm_gives_the_same_pixels():
    """Of 16 bits with an alpha channel it mixes before eight bits are left, which comes within two levels."""
    programs.need("PNG as libpng decodes it")
    files = [file for kind in KINDS for file in files_of(*kind)[4:6]]
    files += [file for bits, colours in KEYED if colours != RGB for file in keyed_files_of(bits, colours)[4:6]]

    for file in files:
        is_mixed = file.bits == 16 and file.colours in (GREY_ALPHA, RGBA)
        difference = np.abs(by_pngtopnm(file.data()).astype(int) - decoded(file.data()))
        assert difference.max() <= 2 * is_mixed, file


def by_pngtopnm(data: bytes) -> NDArray[np.uint8]:
    """On white. It takes no notice of a key in a picture of three colours (netpbm 11.1)."""
    command = ["pngtopnm", "-mix", "-background=white"]
    written = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    found = re.match(rb"P(?:4\s(\d+) (\d+)\s|[56]\s(\d+) (\d+)\s(\d+)\s)", written)
    assert found is not None, written[:20]
    body = written[found.end() :]
    width, height, highest = (int(each) for each in (found[1] or found[3], found[2] or found[4], found[5] or 1))
    if written.startswith(b"P4"):
        bits = np.unpackbits(np.frombuffer(body, np.uint8).reshape(height, -1), axis=1)[:, :width]
        return ((1 - bits[..., None]) * np.array([255] * 3, np.uint8)).astype(np.uint8)
    samples = np.frombuffer(body, ">u2" if highest > 255 else np.uint8).reshape(height, width, -1)
    eight = samples >> 8 if highest > 255 else samples.astype(np.uint16) * 255 // highest
    return np.broadcast_to(eight, (height, width, 3)).astype(np.uint8)
