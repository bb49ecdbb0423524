"""Control maps: drawn as ControlNets know them, and read back by colour."""

import numpy as np
import pytest

from posegen.poses.camera import frame
from posegen.poses.control_maps import COLOURS, LIMBS, depth_map, openpose_map
from posegen.poses.keypoints import KEYPOINTS, Keypoints, project
from posegen.poses.kinematics import solve
from posegen.poses.library import LIBRARY
from tests.control_maps import decode_joints

BLACK = (0, 0, 0)


def drawn(points, visible=None):
    shown = np.ones(18, bool) if visible is None else np.array(visible)
    return Keypoints(np.array(points, float), np.ones(18), shown)


def only(**spots):
    points, visible = np.full((18, 2), 0.5), np.zeros(18, bool)
    for name, spot in spots.items():
        points[KEYPOINTS.index(name)] = spot
        visible[KEYPOINTS.index(name)] = True
    return drawn(points, visible)


@pytest.mark.parametrize("side", [512, 1024])
@pytest.mark.parametrize("pose", LIBRARY, ids=lambda pose: pose.slug)
def test_every_joint_of_the_library_is_read_back_from_its_drawing(pose, side):
    skeleton = solve(pose.specification)
    keypoints = project(skeleton, frame(skeleton, pose.specification))

    decoded = decode_joints(openpose_map(keypoints, side, side))

    assert np.isnan(decoded[~keypoints.visible]).all()
    errors = np.linalg.norm(decoded - keypoints.points * side, axis=1)[keypoints.visible]
    assert errors.max() <= 1.5


def test_a_limb_is_an_ellipse_of_half_width_4_at_06_of_its_colour_under_discs_of_radius_4():
    image = openpose_map(only(neck=(0.5, 0.25), right_hip=(0.5, 0.75)), 200, 200)
    limb = LIMBS.index(("neck", "right_hip"))

    shade = tuple(int(channel * 0.6) for channel in COLOURS[limb])
    row = (image[100] == shade).all(axis=1).nonzero()[0]
    assert (row.min(), row.max()) == (96, 104)
    assert tuple(image[50, 100]) == COLOURS[KEYPOINTS.index("neck")]
    disc = (image == COLOURS[KEYPOINTS.index("neck")]).all(axis=2)
    assert disc.sum() == 49
    assert np.ptp(disc.nonzero()[0]) == np.ptp(disc.nonzero()[1]) == 8
    assert set(map(tuple, image.reshape(-1, 3))) == {BLACK, shade, COLOURS[1], COLOURS[KEYPOINTS.index("right_hip")]}


def test_the_stick_width_can_be_another():
    keypoints = only(neck=(0.5, 0.25), right_hip=(0.5, 0.75))

    widths = [(openpose_map(keypoints, 200, 200, stick_width=width)[100].any(axis=1)).sum() for width in (2, 4, 8)]

    assert widths == [5, 9, 17]


def test_invisible_joints_and_their_limbs_are_left_out():
    image = openpose_map(only(neck=(0.5, 0.5)), 100, 100)

    assert image.any(axis=2).sum() == 49


def test_nothing_visible_is_a_black_picture_without_joints():
    image = openpose_map(only(), 64, 64)

    assert not image.any()
    assert np.isnan(decode_joints(image)).all()


def test_a_partly_covered_joint_is_found_where_it_is():
    image = openpose_map(only(nose=(0.5, 0.5), left_eye=(0.525, 0.5)), 200, 200)

    decoded = decode_joints(image)

    assert decoded[KEYPOINTS.index("nose")] == pytest.approx((100.5, 100.5), abs=1)


def test_a_joint_at_the_edge_is_drawn_and_found():
    decoded = decode_joints(openpose_map(only(nose=(0.001, 0.5)), 300, 200))

    assert decoded[0] == pytest.approx((0.5, 100.5), abs=1)


def test_pictures_need_not_be_square():
    image = openpose_map(only(nose=(0.25, 0.75)), 400, 200)

    assert image.shape == (200, 400, 3)
    assert decode_joints(image)[0] == pytest.approx((100.5, 150.5))


def test_depth_is_white_when_near_and_black_where_nothing_is():
    depth = np.array([[2.0, 3.0], [4.0, np.inf]], np.float32)

    image = depth_map(depth)

    assert image.dtype == np.uint8
    assert image[0, 0] == 255 > image[0, 1] > image[1, 0] > image[1, 1] == 0


def test_depth_of_nothing_is_black_and_of_a_plane_white():
    assert not depth_map(np.full((2, 2), np.inf, np.float32)).any()
    assert (depth_map(np.full((2, 2), 3.0, np.float32)) == 255).all()
