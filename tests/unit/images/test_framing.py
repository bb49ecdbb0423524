from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from posegen.images.body import Body, body_of
from posegen.images.framing import MARGIN, Window, place
from posegen.platforms.platform import PLATFORMS
from posegen.poses.body import outline_points
from posegen.poses.camera import frame
from posegen.poses.keypoints import KEYPOINTS, project
from posegen.poses.kinematics import solve
from posegen.poses.library import LIBRARY
from tests.backends import STANDING

SQUARE = (1024, 1024)
SOURCES = [(1024, 1024), (1024, 1536), (1536, 1024), (333, 1000), (999, 777)]
CORNERS = [(0, 0), (1, 0), (0, 1), (1, 1)]


def body(points: np.ndarray, size: tuple[int, int] = SQUARE) -> Body:
    """Of the figure with these keypoints."""
    return body_of(SimpleNamespace(points=points), size)


def shrunk(factor: float, middle: tuple[float, float]) -> Body:
    """The standing figure, smaller, about a place in the picture."""
    return body((STANDING - 0.5) * factor + middle)


def targets() -> list[tuple[int, int]]:
    return sorted({(platform.width, platform.height) for platform in PLATFORMS.values()})


# --- contain and cover --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", [*targets(), (1081, 1351), (333, 101)])
def test_contain_keeps_every_point_of_the_picture_inside_the_target(source, target):
    corners = place(source, target, "contain").to_target(CORNERS)

    assert (corners >= -1e-6).all()
    assert (corners <= np.array(target) + 1e-6).all()


@pytest.mark.parametrize("target", targets())
def test_contain_fills_the_target_along_one_axis(target):
    (left, top), (right, bottom) = place(SQUARE, target, "contain").to_target([(0, 0), (1, 1)])

    assert max((right - left) / target[0], (bottom - top) / target[1]) == pytest.approx(1, abs=0.003)


@pytest.mark.parametrize("target", targets())
def test_contain_shows_the_picture_in_the_middle(target):
    ((left, top), (right, bottom)) = place(SQUARE, target, "contain").to_target([(0, 0), (1, 1)])

    assert left == pytest.approx(target[0] - right, abs=3)
    assert top == pytest.approx(target[1] - bottom, abs=3)


@pytest.mark.parametrize("fit", ["contain", "cover"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", targets())
def test_the_boxes_say_the_same_as_the_window(source, target, fit):
    placement = place(source, target, fit)
    left, top, right, bottom = placement.source_box

    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]
    found = placement.to_target(np.array([(left, top), (right, bottom)]) / source)
    assert np.abs(found.ravel() - placement.target_box).max() < 0.05


@pytest.mark.parametrize("fit", ["contain", "cover"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", targets())
def test_nothing_is_stretched_by_more_than_a_pixel_of_the_window(source, target, fit):
    placement = place(source, target, fit)
    across, down = placement.scale

    assert abs(across / down - 1) <= 1.01 / min(placement.window.width, placement.window.height)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", targets())
def test_cover_fills_the_target(source, target):
    placement = place(source, target, "cover")

    assert placement.target_box == (0, 0, *target)
    assert placement.covers


def test_cover_takes_the_middle_of_the_picture_when_no_figure_is_known():
    assert place((1000, 2000), (400, 400), "cover").window == Window(0, 500, 1000, 1000)


def test_without_keypoints_nothing_is_cut_off():
    assert place(SQUARE, (1080, 1920), "figure") == place(SQUARE, (1080, 1920), "contain")


# --- around the figure --------------------------------------------------------------------------------------------


def test_a_slim_figure_fills_a_tall_format():
    assert place(SQUARE, (1080, 1920), "figure", body(STANDING)).covers


def test_a_figure_that_a_wide_format_would_cut_is_contained():
    assert not place(SQUARE, (1200, 630), "figure", body(STANDING)).covers


@pytest.mark.parametrize("middle", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_cover_keeps_the_figure_in_the_middle_as_far_as_the_picture_reaches(middle):
    placement = place(SQUARE, (1080, 1920), "cover", shrunk(0.6, (middle, 0.5)))

    assert placement.window.left == pytest.approx(min(max(1024 * middle - 288, 0), 448), abs=1)


def test_a_figure_may_come_as_near_to_the_edge_of_a_cover_as_its_margin_allows():
    """A figure is widened until the format does not cover it any more; up to there it keeps nearly all its margin."""
    kept, target = [], (1080, 1920)
    for width in np.arange(0.5, 3, 0.02):
        wide = body((STANDING - 0.5) * (width, 1) + 0.5)
        placement = place(SQUARE, target, "figure", wide)
        if placement.covers:
            kept.append(min(wide.whole[0] - placement.visible[0], placement.visible[2] - wide.whole[2]))

    assert len(kept) > 10
    assert 0.6 * MARGIN * 1024 < min(kept) < MARGIN * 1024


def test_a_body_that_fills_the_picture_is_not_cut_off_by_a_hair():
    """Where the picture leaves no margin, the share that a cover may lose would be body."""
    wide = body((STANDING - 0.5) * (4, 1) + 0.5, (585, 1024))

    assert wide.whole[0] == 0
    assert wide.whole[2] == 585
    assert not place((585, 1024), (1080, 1920), "figure", wide).covers


def test_cover_by_force_keeps_the_head_of_a_figure_that_does_not_fit():
    lying = body(STANDING[:, ::-1])
    placement = place(SQUARE, (1080, 1920), "cover", lying)

    assert placement.covers
    assert placement.visible[0] <= lying.head[0]
    assert lying.head[2] <= placement.visible[2]


def test_cover_by_force_keeps_the_head_in_a_wide_format():
    placement = place(SQUARE, (1200, 630), "cover", body(STANDING))
    (nose,) = placement.to_target([STANDING[KEYPOINTS.index("nose")]])

    assert 40 < nose[1] < 400


# --- all poses of the library, on all platforms ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def bodies() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Of each library pose, its keypoints and the outline of its body with fingertips, crown and toes, as fractions."""
    found = []
    for pose in LIBRARY:
        solved = solve(pose.specification)
        camera = frame(solved, pose.specification)
        found.append((pose.slug, project(solved, camera).points, camera.project(outline_points(solved))[0]))
    return found


def mirrored(points: np.ndarray) -> np.ndarray:
    """As a mirror shows it, left and right names swapped."""
    order = [KEYPOINTS.index(_other_side(name)) for name in KEYPOINTS]
    return (points * (-1, 1) + (1, 0))[order]


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return name.replace("left_", "right_")
    return name.replace("right_", "left_")


def shifts(outline: np.ndarray) -> list[tuple[float, float]]:
    """Where the body is, and moved until it touches each edge of the picture and two corners."""
    left, top = -outline.min(axis=0)
    right, bottom = 1 - outline.max(axis=0)
    return [(0, 0), (left, 0), (right, 0), (0, top), (0, bottom), (left, top), (right, bottom)]


@pytest.mark.parametrize("turned", [False, True], ids=["as it is", "mirrored"])
def test_every_keypoint_of_every_pose_is_inside_every_export_by_a_margin(bodies, turned):
    """And with them hands, feet and the crown: by 2% of the picture, or by what the picture itself leaves free."""
    fits = {True: 0, False: 0}
    for slug, keypoints, outline in bodies:
        if turned:
            keypoints, outline = mirrored(keypoints), outline * (-1, 1) + (1, 0)
        for shift in shifts(outline):
            joints, hull = keypoints + shift, outline + shift
            for target in targets():
                placement = place(SQUARE, target, "figure", body(joints))
                left, top, right, bottom = np.array(placement.visible) / 1024
                fits[placement.covers] += 1
                for points, least in ((joints, 0.04), (hull, 0.02)):
                    free = np.concatenate([points.min(axis=0), 1 - points.max(axis=0)])
                    inside = np.concatenate([points.min(axis=0) - (left, top), (right, bottom) - points.max(axis=0)])
                    assert (inside >= np.minimum(free, least) - 0.002).all(), (slug, target, shift)
    assert min(fits.values()) > 500, "both ways of fitting are met"


def test_most_standing_poses_fill_a_tall_format(bodies):
    standing = [keypoints for slug, keypoints, _ in bodies if slug.startswith(("standing", "walking", "hand"))]
    filled = [place(SQUARE, (1080, 1920), "figure", body(keypoints)).covers for keypoints in standing]

    assert sum(filled) >= len(filled) / 2
