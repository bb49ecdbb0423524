"""Control maps from outside: what is refused, in a sentence, and what padding does to the geometry."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from posegen.errors import ImageInvalid
from posegen.images.control_maps import control_map_of
from posegen.images.transparency import may_be_transparent
from posegen.images.validation import open_image

SIDE = 1024


def file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)  # type: ignore[arg-type]
    return written.getvalue()


def drawn(width: int, height: int, mode: str = "RGB", spot: tuple[int, int] | None = None) -> Image.Image:
    """Black, with a white square of 9 pixels around a spot."""
    image = Image.new(mode, (width, height))
    x, y = spot or (width // 2, height // 2)
    image.paste("white", (x - 4, y - 4, x + 5, y + 5))
    return image


def made(data: bytes) -> np.ndarray:
    return open_image(control_map_of(data, open_image, side=SIDE).data)


def centre_of(pixels: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(pixels[..., 0] > 127)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize(
    ("size", "spot", "where"),
    [
        ((1024, 1024), (100, 900), (100, 900)),
        ((512, 512), (100, 400), (200.5, 800.5)),
        ((2048, 2048), (300, 1900), (150, 950)),
        ((1024, 512), (100, 100), (100, 356)),
        ((512, 1024), (100, 900), (356, 900)),
        ((400, 100), (50, 20), (129, 435)),
    ],
)
def test_a_map_is_scaled_to_fit_and_padded_so_that_nothing_is_stretched(size, spot, where):
    pixels = made(file(drawn(*size, spot=spot)))

    assert pixels.shape == (SIDE, SIDE, 3)
    assert centre_of(pixels) == pytest.approx(where, abs=1.0)
    rows, columns = np.nonzero(pixels[..., 0] > 127)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)


def test_a_map_of_the_right_size_keeps_every_pixel():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)

    assert np.array_equal(made(file(Image.fromarray(pixels))), pixels)


def test_padding_is_black_like_the_ground_of_a_map():
    pixels = made(file(drawn(1024, 256)))

    assert not pixels[:380].any()
    assert not pixels[-380:].any()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (file(Image.new("RGB", (1, 1))), "1x1 pixels; each side needs at least"),
        (file(drawn(63, 64)), "63x64 pixels shows no pose"),
        (file(drawn(401, 100)), "401x100 pixels has a wrong ratio: one side may be at most 4 times the other. Pad"),
        (file(drawn(128, 1024)), "wrong ratio"),
        (file(drawn(128, 128, "RGBA")), "alpha channel or a transparent colour. Save it without, on black ground"),
        (file(drawn(128, 128, "LA")), "alpha channel"),
        (file(drawn(128, 128).convert("P"), transparency=0), "transparent colour"),
        (file(drawn(128, 128), transparency=(0, 0, 0)), "transparent colour"),
        (file(drawn(128, 128, "RGBA"), "WEBP", lossless=True), "alpha channel"),
        (file(drawn(128, 128, "RGBA"), "WEBP"), "alpha channel"),
        (file(Image.new("RGB", (128, 128), "white")), "one colour only, so it shows no pose"),
        (file(drawn(128, 128), save_all=True, append_images=[drawn(128, 128, spot=(30, 30))]), "several pictures"),
        (file(drawn(128, 128), "WEBP", save_all=True, append_images=[drawn(128, 128, spot=(30, 30))]), "several"),
        (file(drawn(9000, 4500, "1")), "at most 8,192"),
        (b"<html>no picture</html>", "no picture that is accepted here"),
        (file(drawn(128, 128))[:-20], "truncated"),
        (file(drawn(128, 128), "GIF"), "no picture that is accepted here"),
        (b"", "nothing"),
    ],
)
def test_what_is_no_map_is_refused_with_what_is_wrong_and_how_to_mend_it(data, words):
    with pytest.raises(ImageInvalid, match=words):
        control_map_of(data, open_image, side=SIDE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_opaque_files_of_each_format_are_maps(kind, mode):
    options = {"lossless": True} if kind == "WEBP" else {}

    assert made(file(drawn(256, 256, mode), kind, **options)).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"lossless": True, "exif": b"Exif\0\0"}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_transparency_of_a_webp_is_read_from_its_header(mode, options):
    image = Image.new(mode, (64, 64), (10, 20, 30, 40)[: len(mode)])

    assert may_be_transparent(file(image, "WEBP", **options)) is (mode == "RGBA")
