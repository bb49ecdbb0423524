from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from posegen.errors import ImageInvalid
from posegen.images.contact_sheet import Tile, contact_sheet, encode_sheet
from posegen.images.png import encode_png
from posegen.images.thumbnails import encode_thumbnail

RED = np.full((100, 100, 3), (200, 0, 0), dtype=np.uint8)


def is_red(pixel: tuple[int, ...]) -> bool:
    return pixel[0] > 150 and pixel[1] < 60 and pixel[2] < 60


def red_share(sheet: Image.Image) -> float:
    pixels = np.asarray(sheet).astype(int)
    return float(((pixels[..., 0] > 150) & (pixels[..., 1] < 60)).mean())


@pytest.mark.parametrize("width", [320, 640, 1280, 1999])
@pytest.mark.parametrize("tiles", [1, 2, 7, 64])
def test_a_sheet_is_exactly_as_wide_as_asked(tiles, width):
    sheet = contact_sheet([Tile(RED, f"pose {index}") for index in range(tiles)], width=width)

    assert sheet.width == width
    assert red_share(sheet) > 0.35


def test_tiles_stand_in_rows_of_the_asked_number_of_columns():
    three = contact_sheet([Tile(RED)] * 6, width=600, columns=3)
    six = contact_sheet([Tile(RED)] * 6, width=600, columns=6)

    assert three.height > six.height
    changes = np.diff([int(is_red(three.getpixel((x, 80)))) for x in range(600)])
    assert (changes == 1).sum() == 3


def test_bytes_of_every_kind_and_pixels_stand_side_by_side(picture):
    jpeg = io.BytesIO()
    Image.fromarray(picture).save(jpeg, "JPEG")
    images = [picture, encode_png(picture).data, encode_thumbnail(picture).data, jpeg.getvalue()]

    sheet = np.asarray(contact_sheet([Tile(image) for image in images], width=840, columns=4), dtype=float)
    quarters = [sheet[20:200, 15 + 205 * index : 200 + 205 * index] for index in range(4)]
    for quarter in quarters[1:]:
        assert abs(quarter.mean() - quarters[0].mean()) < 4


def test_pictures_of_one_shape_fill_their_fields():
    tall = np.full((160, 90, 3), (200, 0, 0), dtype=np.uint8)

    assert red_share(contact_sheet([Tile(tall)] * 4, width=600)) > 0.8


def test_pictures_of_mixed_shape_are_letterboxed_whole():
    tall = np.full((160, 90, 3), (200, 0, 0), dtype=np.uint8)
    wide = np.full((90, 160, 3), (200, 0, 0), dtype=np.uint8)
    sheet = contact_sheet([Tile(tall), Tile(wide)], width=840, columns=2)
    pixels = np.asarray(sheet).astype(int)
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 60)
    left, right = red[:, :420], red[:, 420:]

    assert extent(left.any(axis=1)) > extent(left.any(axis=0)) * 1.6
    assert extent(right.any(axis=0)) > extent(right.any(axis=1)) * 1.6


def extent(covered: np.ndarray) -> int:
    found = np.flatnonzero(covered)
    return int(found[-1] - found[0] + 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "standing, weight on the left leg",
        "x" * 100_000,
        "日本語 ไทย العربية 😀",
        "line\nbreak\ttab \x00 control",
        "lone \ud800 surrogate",
        "\u202e turned around",
        "e\u0301" * 200,
        "1080×1920 · Größe – façade",
    ],
)
def test_any_text_can_stand_below_a_picture_and_in_the_title(text):
    plain = contact_sheet([Tile(RED, "pose", "detail"), Tile(RED, "pose")], width=500, title="title")
    sheet = contact_sheet([Tile(RED, text or "pose", text), Tile(RED, "pose", "detail")], width=500, title=text or "t")

    assert sheet.size == plain.size


@pytest.mark.parametrize(("text", "drawn"), [("1080×1920", "1080x1920"), ("façade", "facade"), ("日本", "??")])
def test_what_the_font_does_not_have_is_spelled_with_what_it_has(text, drawn):
    assert contact_sheet([Tile(RED, text)], width=300) == contact_sheet([Tile(RED, drawn)], width=300)


def test_long_text_ends_within_its_own_column():
    sheet = np.asarray(contact_sheet([Tile(RED, "m" * 500), Tile(RED)], width=600, columns=2).convert("L"))
    gap = sheet[:, 297:303]

    assert gap.min() > 250


def test_a_label_makes_a_mark_and_room_for_itself():
    bare = contact_sheet([Tile(RED)], width=300)
    labelled = contact_sheet([Tile(RED, "pose")], width=300)

    assert labelled.height > bare.height
    below = np.asarray(labelled.convert("L"))[bare.height - 8 :]
    assert below.min() < 100


def test_a_pose_without_a_picture_keeps_its_place():
    sheet = contact_sheet([Tile(None, "failed"), Tile(RED, "made")], width=600, columns=2)

    assert not is_red(sheet.getpixel((60, 60)))
    assert is_red(sheet.getpixel((450, 60)))


def test_a_sheet_of_nothing_is_still_a_picture():
    assert contact_sheet([], width=640, title="nothing yet").width == 640


def test_a_tile_that_is_no_picture_is_refused():
    with pytest.raises(ImageInvalid):
        contact_sheet([Tile(b"GIF89a...", "moving")])


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_sheet_is_encoded_as_asked(picture, kind):
    sheet = contact_sheet([Tile(picture, "pose")], width=640)
    file = encode_sheet(sheet, kind)

    with Image.open(io.BytesIO(file.data)) as image:
        assert image.format == kind.upper()
        assert image.size == (file.width, file.height) == sheet.size
    assert file.content_type == f"image/{kind}"
