from __future__ import annotations

import numpy as np
import pytest

from posegen.images.framing import place
from posegen.images.platforms import PLATFORMS
from posegen.poses.keypoints import Keypoints

SQUARE = (1024, 1024)
SOURCES = [(1024, 1024), (1024, 1536), (1536, 1024), (333, 1000), (999, 777)]


def figure(*points: tuple[float, float]) -> Keypoints:
    return Keypoints(np.array(points), depth=np.ones(len(points)), visible=np.ones(len(points), dtype=bool))


def targets() -> list[tuple[int, int]]:
    return sorted({(platform.width, platform.height) for platform in PLATFORMS.values()})


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", targets())
def test_contain_keeps_every_point_of_the_picture_inside_the_target(source, target):
    corners = place(source, target, "contain").to_target([(0, 0), (1, 0), (0, 1), (1, 1)])

    assert (corners >= -0.5).all()
    assert (corners <= np.array(target) + 0.5).all()


@pytest.mark.parametrize("target", targets())
def test_contain_fills_the_target_along_one_axis(target):
    left, top, right, bottom = place(SQUARE, target, "contain").target_box

    assert right - left == target[0] or bottom - top == target[1]


def test_contain_shows_a_square_picture_whole_and_in_the_middle():
    placement = place(SQUARE, (1200, 630), "contain")

    assert placement.target_box == (285, 0, 915, 630)
    assert placement.source_box == (0, 0, 1024, 1024)


@pytest.mark.parametrize("fit", ["contain", "cover"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", targets())
def test_the_boxes_say_the_same_as_the_scale_and_the_offset(source, target, fit):
    placement = place(source, target, fit)
    left, top, right, bottom = placement.source_box

    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]
    found = placement.to_target(np.array([(left, top), (right, bottom)]) / source)
    assert np.abs(found.ravel() - placement.target_box).max() < 0.05


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", targets())
def test_cover_fills_the_target(source, target):
    assert place(source, target, "cover").target_box == (0, 0, *target)


def test_cover_takes_the_middle_of_the_picture_when_no_figure_is_known():
    assert place((1000, 2000), (400, 400), "cover").source_box == (0, 500, 1000, 1500)


def test_cover_follows_the_figure():
    high_up = figure((0.4, 0.2), (0.6, 0.5))

    assert place((1000, 2000), (400, 400), "cover", high_up).source_box == pytest.approx((0, 200, 1000, 1200))


def test_cover_follows_the_figure_no_further_than_the_edge_of_the_picture():
    at_the_top = figure((0.4, 0.0), (0.6, 0.2))

    assert place((1000, 2000), (400, 400), "cover", at_the_top).source_box == (0, 0, 1000, 1000)
