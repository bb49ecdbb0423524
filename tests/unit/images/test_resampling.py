from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from posegen.images.framing import Placement, place
from posegen.images.pixels import Pixels
from posegen.images.resampling import draw_picture


def drawn(pixels: Pixels, placement: Placement) -> np.ndarray:
    canvas = Image.new("RGB", placement.target)
    draw_picture(canvas, pixels, placement)
    return np.asarray(canvas, dtype=float)


@pytest.mark.parametrize("target", [(1080, 1080), (400, 400), (200, 200)])
def test_a_square_is_drawn_as_pillow_draws_it_in_one_go(picture, target):
    reference = np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.LANCZOS), dtype=float)
    off = np.abs(drawn(picture, place((1024, 1024), target, "contain")) - reference)

    assert off.max() <= 2
    assert off.mean() < 0.2


@pytest.mark.parametrize("fit", ["contain", "cover"])
@pytest.mark.parametrize(
    ("source", "target"), [((700, 501), (1000, 1000)), ((1000, 777), (640, 333)), ((90, 160), (900, 1800))]
)
def test_a_point_is_drawn_where_framing_says(source, target, fit):
    """A smooth spot is found, by its centre of gravity, within a twentieth of a target pixel."""
    placement = place(source, target, fit)
    spot = np.array([0.53, 0.47])
    columns, rows = np.meshgrid(np.arange(source[0]) + 0.5, np.arange(source[1]) + 0.5)
    distance = np.hypot(columns - spot[0] * source[0], rows - spot[1] * source[1])
    blob = np.repeat((255 * np.exp(-((distance / 6) ** 2)))[..., None], 3, axis=-1).round().astype(np.uint8)

    weights = drawn(blob, placement)[..., 0]
    weights[weights < 3] = 0
    ys, xs = np.indices(weights.shape) + 0.5
    found = np.array([(xs * weights).sum(), (ys * weights).sum()]) / weights.sum()
    assert np.abs(found - placement.to_target(spot)).max() < 0.05 * max(*placement.scale, 1)


def test_nothing_is_drawn_outside_the_box():
    white = np.full((100, 100, 3), 255, dtype=np.uint8)
    placement = place((100, 100), (900, 300), "contain")
    canvas = drawn(white, placement)

    left, top, right, bottom = placement.target_box
    assert (canvas[top:bottom, left:right] == 255).all()
    assert canvas.sum() == 255 * 3 * (right - left) * (bottom - top)
