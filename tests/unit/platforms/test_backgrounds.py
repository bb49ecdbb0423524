from __future__ import annotations

import numpy as np
import pytest

from posegen.images.body import Box
from posegen.images.pixels import Pixels
from posegen.images.planes import Planes, planes_of
from posegen.platforms.backgrounds import Reach, extend

SIDEWAYS, UPRIGHT = Reach(left=460, right=460), Reach(top=400, bottom=400)
FIGURE = (400.0, 60.0, 624.0, 960.0)


def extended(pixels: Pixels, reach: Reach, figure: Box | None = FIGURE) -> np.ndarray:
    """The luma of an extended picture."""
    return extend(planes_of(pixels), reach, figure).luma.astype(float)


@pytest.mark.parametrize("reach", [SIDEWAYS, UPRIGHT, Reach(3, 5, 7, 9), Reach()])
def test_the_picture_itself_stays_as_it_is(picture, reach):
    planes = planes_of(picture)
    larger = extend(planes, reach, FIGURE)

    for before, after in zip(planes.all(), larger.all(), strict=True):
        assert after.shape == (1024 + reach.top + reach.bottom, 1024 + reach.left + reach.right)
        assert (after[reach.top : reach.top + 1024, reach.left : reach.left + 1024] == before).all()


@pytest.mark.parametrize("source", ["picture", "photograph"])
@pytest.mark.parametrize("figure", [FIGURE, None], ids=["a figure", "nobody knows"])
@pytest.mark.parametrize("reach", [SIDEWAYS, UPRIGHT])
def test_no_seam_is_seen(request, source, reach, figure):
    """The step over the picture's edge is no greater than steps are within the picture beside it."""
    luma = extended(request.getfixturevalue(source), reach, figure)
    if reach is UPRIGHT:
        luma = luma.T
    edge = 460 if reach is SIDEWAYS else 400
    for seam in (edge, luma.shape[1] - edge):
        inside = slice(seam, seam + 40) if seam == edge else slice(seam - 40, seam)
        steps = np.abs(np.diff(luma[:, inside], axis=1)).mean()
        step = luma[:, seam] - luma[:, seam - 1]
        assert np.abs(step).mean() < steps + 1.0
        assert abs(step.mean()) < 1.0


@pytest.mark.parametrize("reach", [SIDEWAYS, UPRIGHT])
def test_the_texture_does_not_end_at_the_edge(photograph, reach):
    luma = extended(photograph, reach)
    if reach is UPRIGHT:
        luma = luma.T
    edge = 460 if reach is SIDEWAYS else 400
    inside, outside = luma[:, edge : edge + 12], luma[:, edge - 12 : edge]

    assert np.abs(np.diff(outside, axis=0)).mean() > 0.7 * np.abs(np.diff(inside, axis=0)).mean()


def test_the_figure_does_not_appear_a_second_time():
    grey = np.full((400, 400, 3), 120, dtype=np.uint8)
    grey[40:380, 30:370] = (250, 20, 20)
    larger = extend(planes_of(grey), Reach(left=300, right=300), (30.0, 40.0, 370.0, 380.0))

    assert np.abs(larger.red[:, :300].astype(int) - 128).max() <= 1
    assert np.abs(larger.red[:, 700:].astype(int) - 128).max() <= 1


def test_an_unknown_figure_appears_no_further_than_a_narrow_rim():
    grey = np.full((400, 400, 3), 120, dtype=np.uint8)
    grey[:, 20:] = (250, 20, 20)
    larger = extend(planes_of(grey), Reach(left=300), None)

    assert np.abs(larger.red[:, :300].astype(int) - 128).max() <= 1


def test_what_touches_the_edge_is_not_drawn_out_to_the_end():
    touching = np.full((400, 400, 3), 200, dtype=np.uint8)
    touching[195:205, :20] = 0
    luma = extended(touching, Reach(left=400), (100.0, 0.0, 400.0, 400.0))

    assert luma[200, 398] < 60
    assert luma[200, 5] > 180


@pytest.mark.parametrize("figure", [FIGURE, None], ids=["a figure", "nobody knows"])
def test_a_horizon_goes_on_to_the_end(figure):
    sea = np.full((1024, 1024, 3), (60, 120, 190), dtype=np.uint8)
    sea[600:] = (220, 200, 150)
    luma = extended(sea, SIDEWAYS, figure)

    for column in (5, 250, 455, 1500, 1940):
        assert abs(luma[580, column] - luma[580, 900]) < 2
        assert abs(luma[620, column] - luma[620, 900]) < 2


def test_a_figure_that_touches_the_edge_is_not_drawn_out_either():
    grey = np.full((400, 400, 3), 120, dtype=np.uint8)
    grey[150:250, :300] = (250, 20, 20)
    red = extend(planes_of(grey), Reach(left=400), (0.0, 150.0, 300.0, 250.0)).red.astype(int)

    assert red[200, 5] - 128 < 0.6 * (red[200, 500] - 128)
    assert np.abs(np.diff(red[:, 5])).max() <= 2


def test_far_out_stand_the_tones_of_the_edge(picture):
    luma = extended(picture, SIDEWAYS)
    edge = luma[:, 460:472]

    assert luma[:, :300].min() >= edge.min() - 3
    assert luma[:, :300].max() <= edge.max() + 3
    assert luma[:, :300].mean() == pytest.approx(edge.mean(), abs=3)


def test_slow_gradients_show_no_bands():
    """Between two tones stand mixtures of both, and no long runs of one."""
    grain = np.random.default_rng(4).uniform(0, 1, (600, 600, 1))
    slow = np.repeat(100 + np.arange(600)[:, None, None] / 120 + grain, 3, axis=2).astype(np.uint8)
    luma = extended(slow, Reach(left=300), (200.0, 0.0, 600.0, 600.0))
    changes = (np.diff(luma[:, 20], axis=0) != 0).sum()

    assert changes > 60


def test_equal_pictures_have_equal_backgrounds(photograph):
    first, second = (extend(planes_of(photograph.copy()), SIDEWAYS, FIGURE) for _ in range(2))

    for one, other in zip(first.all(), second.all(), strict=True):
        assert (one == other).all()


def test_both_axes_can_be_extended(picture):
    larger = extend(planes_of(picture), Reach(10, 20, 30, 40), FIGURE)

    assert isinstance(larger, Planes)
    assert larger.size == (1064, 1084)
    assert np.abs(np.diff(larger.luma.astype(int), axis=0)).mean() < 4
