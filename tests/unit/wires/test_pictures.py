"""The far ends' pictures: they show the pose that was sent, and pass the gate that photographs have to pass."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from posegen.images.quality import is_copy, judge, measure
from tests.control_map_files import map_file
from tests.wires.pictures import BOMB_SIDE, GIANT, Order, decoded, file_of

STANDING = Order("a woman in a studio", 7, 512, 512, (map_file(),))
SLUGS = ("standing-straight", "star-jump", "squatting-elbows-on-knees", "yoga-warrior-two")


def pixels(order: Order, kind: str = "") -> np.ndarray:
    return decoded(file_of(order, kind).data)


@pytest.mark.parametrize("kind", ["openpose", "depth"])
@pytest.mark.parametrize("slug", SLUGS)
def test_a_picture_passes_the_quality_gate(slug, kind):
    picture = pixels(replace(STANDING, width=1024, height=1024, maps=(map_file(slug, kind),)))

    assert judge(measure(picture)).problems == ()
    assert picture.shape == (1024, 1024, 3)


def test_the_figure_stands_where_the_map_has_its_joints():
    with_pose, without = pixels(STANDING), pixels(replace(STANDING, maps=(map_file("star-jump"),)))
    joints = decoded(map_file()).max(axis=2) > 60
    spots = np.argwhere(np.kron(joints, np.ones((2, 2), bool)))

    dark = with_pose[spots[:, 0], spots[:, 1]].mean(axis=1) < 140

    assert dark.mean() > 0.9
    assert (without[spots[:, 0], spots[:, 1]].mean(axis=1) < 140).mean() < 0.75


@pytest.mark.parametrize(
    "other",
    [
        replace(STANDING, seed=8),
        replace(STANDING, prompt="a man in a park"),
        replace(STANDING, maps=(map_file("star-jump"),)),
        replace(STANDING, maps=()),
    ],
    ids=["seed", "prompt", "map", "no map"],
)
def test_another_order_gives_another_picture(other):
    one, two = (measure(pixels(order)).perceptual_hash for order in (STANDING, other))

    assert not is_copy(one, two)


def test_equal_orders_give_equal_files():
    first = file_of(STANDING)
    file_of.cache_clear()

    assert file_of(STANDING) == first


def test_no_map_is_written_into_the_picture():
    picture = pixels(Order("anything", 1, 256, 256))

    assert judge(measure(picture)).problems == ()
    colours, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    assert counts.max() / counts.sum() > 0.6
    assert [255, 255, 255] in colours.tolist()


def test_a_map_of_another_shape_is_contained():
    wide = pixels(replace(STANDING, width=1024, height=512))
    dark = wide.mean(axis=2) < 100

    assert not dark[:, :256].any()
    assert not dark[:, -256:].any()
    assert dark.any()


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_format_is_the_one_that_was_asked_for(form, kind):
    file = file_of(replace(STANDING, format=form))

    assert Image.open(io.BytesIO(file.data)).format == kind
    assert file.content_type == f"image/{form}"


def test_a_flagged_picture_is_black():
    assert pixels(STANDING, "flagged").max() == 0


def test_another_size_is_half_as_wide_and_high():
    file = file_of(STANDING, "other_size")

    assert Image.open(io.BytesIO(file.data)).size == (file.width, file.height) == (256, 256)


def test_a_truncated_file_cannot_be_decoded():
    with pytest.raises(ValueError, match="no picture"):
        decoded(file_of(STANDING, "truncated").data)


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_an_animated_file_has_two_frames(form):
    assert Image.open(io.BytesIO(file_of(replace(STANDING, format=form), "animated").data)).n_frames == 2


def test_a_file_of_the_wrong_format_is_a_gif_that_is_named_a_png():
    file = file_of(STANDING, "wrong_format")

    assert (file.data[:4], file.content_type) == (b"GIF8", "image/png")


def test_a_giant_file_is_a_whole_picture():
    file = file_of(STANDING, "giant")

    assert len(file.data) > GIANT
    assert file.data.endswith(b"IEND\xaeB`\x82")


def test_a_bomb_is_small_and_claims_900_million_pixels():
    file = file_of(STANDING, "bomb")

    assert len(file.data) < 2_000_000
    assert int.from_bytes(file.data[16:20]) * int.from_bytes(file.data[20:24]) == BOMB_SIDE**2
