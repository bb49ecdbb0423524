"""Surfaces: closed, facing outwards, and following the skeleton."""

import numpy as np
import pytest

from posegen.figure.body.hands import fingers
from posegen.figure.body.head import head_surface
from posegen.figure.body.physique import physique
from posegen.figure.body.rig import Rig
from posegen.figure.clothing.outfits import OUTFITS
from posegen.figure.dressing import person
from posegen.figure.geometry import solids
from posegen.figure.geometry.curves import modulo, smooth_curve
from posegen.figure.geometry.mesh import loft
from posegen.figure.geometry.vectors import hypotenuse, transformed, unit
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.poses.hands import HAND_SHAPES
from posegen.poses.kinematics import solve
from posegen.poses.specification import PoseSpecification

SOLIDS = {
    "box": solids.rounded_box((0.4, 0.3, 0.2), 0.01),
    "cylinder": solids.cylinder(-0.1, 0.2, 0.05),
    "lying cylinder": solids.cylinder(-0.1, 0.2, 0.05, axis=0),
    "deep cylinder": solids.cylinder(-0.1, 0.2, 0.05, axis=2),
    "ball": solids.ball(0.1),
    "rod": solids.rod([(0, 0, 0), (0, 0.2, 0.05), (0.1, 0.3, 0)], 0.02),
}


def is_closed(triangles: np.ndarray) -> bool:
    """Whether every edge belongs to two triangles, which run along it in opposite directions."""
    begins, ends = triangles.T.astype(np.int64).ravel(), np.roll(triangles.T, -1, axis=0).astype(np.int64).ravel()
    corners = int(triangles.max()) + 1
    there, back = np.sort(begins * corners + ends), np.sort(ends * corners + begins)  # an edge as one number
    return bool((np.diff(there) > 0).all()) and np.array_equal(there, back)


def volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """Cubic metres, negative when the front lies inside."""
    a, b, c = ((vertices[corner] - vertices.mean(axis=0)).astype(np.float64) for corner in triangles.T)
    return float((np.cross(a, b) * c).sum() / 6)


@pytest.mark.parametrize("name", SOLIDS)
def test_a_loft_is_closed_and_so_is_what_casts_its_shadow(name):
    piece = loft(SOLIDS[name], 0, 1)

    assert is_closed(piece.triangles)
    assert is_closed(piece.coarse)


@pytest.mark.parametrize("name", SOLIDS)
def test_a_loft_encloses_a_volume_with_its_front_outside(name):
    piece = loft(SOLIDS[name], 0, 1)

    assert volume(piece.vertices, piece.triangles) > 1e-5


def test_what_casts_a_shadow_is_coarser_but_as_large():
    piece = loft(solids.ball(0.1, rings=40, sides=64), 0, 1)

    assert len(piece.coarse) < len(piece.triangles) / 3
    assert volume(piece.vertices, piece.coarse) == pytest.approx(volume(piece.vertices, piece.triangles), rel=0.02)


def test_what_casts_a_shadow_keeps_the_hem():
    rings = solids.ball(0.1, rings=41, sides=64)
    hem = set(range(39 * 64, 41 * 64, 2))

    assert hem <= set(loft(rings, 0, 1).coarse.ravel().tolist())


@pytest.mark.parametrize("name", ["box", "cylinder"])
def test_flat_ends_face_straight_away_from_each_other(name):
    ends = loft(SOLIDS[name], 0, 1).normals[-2:]

    assert np.allclose(ends, [(0, 1, 0), (0, -1, 0)], atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("shape", HAND_SHAPES)
def test_the_flesh_of_every_hand_is_closed_with_its_front_outside(shape, side):
    body = physique(Avatar())
    pieces = fingers(Rig(solve(PoseSpecification(), body.build), body), side, shape)

    assert len(pieces) == 6 + (shape in ("fist", "thumb_up"))  # five fingers, the ball of the thumb, what fills a fist
    for piece in pieces:
        assert is_closed(piece.triangles)
        assert volume(piece.vertices, piece.triangles) > 1e-6


def test_the_normals_of_a_ball_point_away_from_its_middle():
    piece = loft(solids.ball(0.1), 0, 1)

    assert ((piece.normals * piece.vertices).sum(axis=1) > 0.097).all()


@pytest.mark.parametrize("clothing", AVATAR_ATTRIBUTES["clothing"])
def test_every_garment_is_closed_whatever_the_body_does(clothing):
    bent = {"left_hip": (100, 20, 0), "left_knee": (120, 0, 0), "right_elbow": (140, 0, 0), "spine": (40, 0, 0)}
    avatar = Avatar(clothing=clothing)
    specification = PoseSpecification(angles=bent)
    rig = Rig(solve(specification, physique(avatar).build), physique(avatar))

    for piece in person(rig, avatar, OUTFITS[clothing], specification):
        assert np.isfinite(piece.vertices).all()
        assert np.isfinite(piece.normals).all()
        assert is_closed(piece.triangles)
        assert is_closed(piece.coarse)


def test_the_torso_at_rest_lies_where_it_was_modelled():
    body = physique(Avatar())
    skeleton = solve(PoseSpecification(), body.build)
    rig = Rig(skeleton, body)
    points = np.random.default_rng(0).uniform((-0.2, -0.1, -0.1), (0.2, 0.5, 0.1), (50, 3)).astype(np.float32)

    assert np.allclose(rig.torso(points), points + skeleton.position("pelvis"), atol=1e-5)


def test_a_limb_passes_by_its_joints():
    body = physique(Avatar())
    skeleton = solve(PoseSpecification(angles={"left_elbow": (90, 0, 0), "left_shoulder": (30, 40, 0)}), body.build)
    sweep = Rig(skeleton, body).arm("left", np.array([0.0, 1.0, 2.0], np.float32))
    joints = [skeleton.position(f"left_{joint}") for joint in ("shoulder", "elbow", "wrist")]

    assert np.linalg.norm(sweep.centres - joints, axis=1).max() < 0.025


def test_a_smooth_curve_meets_its_knots_and_never_overshoots():
    knots, values = [0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 1.0, 0.2]
    curve = smooth_curve(knots, values, np.linspace(0, 4, 401))

    assert np.allclose(smooth_curve(knots, values, knots), values)
    assert curve.min() >= 0
    assert curve.max() <= 1


def test_points_move_with_their_frame():
    chance = np.random.default_rng(3)
    axes = np.linalg.qr(chance.normal(size=(3, 3)))[0].astype(np.float32)
    points, origin = chance.normal(size=(4, 5, 3)).astype(np.float32), np.array([1, 2, 3], np.float32)

    assert np.allclose(transformed(points, axes, origin), points @ axes.T + origin, atol=1e-5)


def test_shortcuts_agree_with_numpy():
    x, y = np.random.default_rng(1).uniform(-3, 3, (2, 1000)).astype(np.float32)

    assert np.allclose(hypotenuse(x, y), np.hypot(x, y), atol=1e-6)
    away = np.abs(modulo(x, 0.25) - np.mod(x, 0.25))
    assert np.minimum(away, 0.25 - away).max() < 1e-6
    assert np.allclose(np.linalg.norm(unit(np.stack([x, y, x], axis=-1)), axis=-1), 1, atol=1e-6)


def test_shapes_that_are_kept_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        head_surface(0.0, 0.5)[0, 0] = 1
