from __future__ import annotations

import numpy as np
import pytest

from posegen.images.backgrounds import EXTEND, blank_canvas, extend_edges
from posegen.images.framing import place
from posegen.images.resampling import draw_picture


def on_canvas(pixels, target, background):
    placement = place((pixels.shape[1], pixels.shape[0]), target, "contain")
    canvas = blank_canvas(placement, background)
    draw_picture(canvas, pixels, placement)
    if background == EXTEND:
        extend_edges(canvas, placement)
    return np.asarray(canvas, dtype=float), placement.target_box


def test_a_plain_colour_surrounds_the_picture(picture):
    canvas, (left, _, right, _) = on_canvas(picture, (1200, 630), "#ffffff")

    assert (canvas[:, :left] == 255).all()
    assert (canvas[:, right:] == 255).all()
    assert (canvas[:, left:right] != 255).any()


@pytest.mark.parametrize("target", [(1200, 630), (1080, 1920), (1080, 1080)])
def test_extending_leaves_the_picture_itself_as_it_is(picture, target):
    extended, (left, top, right, bottom) = on_canvas(picture, target, EXTEND)
    plain, _ = on_canvas(picture, target, "#ffffff")

    assert (extended[top:bottom, left:right] == plain[top:bottom, left:right]).all()


@pytest.mark.parametrize("target", [(1200, 630), (1080, 1920)])
def test_an_extended_background_shows_no_seam(picture, target):
    canvas, (left, top, right, bottom) = on_canvas(picture, target, EXTEND)
    if target[0] > target[1]:
        seams = [(canvas[:, left - 1], canvas[:, left : left + 6]), (canvas[:, right], canvas[:, right - 6 : right])]
        steps = [outside - inside.mean(axis=1) for outside, inside in seams]
    else:
        seams = [(canvas[top - 1], canvas[top : top + 6]), (canvas[bottom], canvas[bottom - 6 : bottom])]
        steps = [outside - inside.mean(axis=0) for outside, inside in seams]

    for step in steps:
        assert np.median(np.abs(step)) < 2.0
        assert abs(step.mean()) < 1.0


def test_an_extended_background_stays_within_the_tones_of_the_edge(picture):
    canvas, (left, _, _, _) = on_canvas(picture, (1200, 630), EXTEND)
    edge = canvas[:, left : left + 6]

    assert canvas[:, :left].min() >= edge.min() - 3
    assert canvas[:, :left].max() <= edge.max() + 3


def test_what_touches_the_edge_is_not_drawn_out_to_the_end():
    touching = np.full((400, 400, 3), 200, dtype=np.uint8)
    touching[195:205, :100] = 0
    canvas, (left, _, _, _) = on_canvas(touching, (1200, 400), EXTEND)

    assert canvas[200, left - 2].mean() < 60
    assert canvas[200, 5].mean() > 180


def test_a_row_that_rounding_left_over_is_filled_too():
    even = np.full((40, 60, 3), (10, 200, 30), dtype=np.uint8)
    canvas, _ = on_canvas(even, (60, 41), EXTEND)

    assert np.abs(canvas - (10, 200, 30)).max() <= 1
