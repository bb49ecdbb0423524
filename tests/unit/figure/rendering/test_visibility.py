"""What is seen: every pixel that the figure covers, in shares that add up."""

import numpy as np
import pytest

from posegen.figure.geometry import solids
from posegen.figure.geometry.mesh import Mesh, assemble, loft
from posegen.figure.rendering.planes import planes
from posegen.figure.rendering.raster import Projected
from posegen.figure.rendering.visibility import BEYOND, Seen, Window, look, project
from posegen.poses.camera import Camera

CAMERA = Camera(np.array([0.0, 0.0, 4.0]), np.eye(3), 2.0)


@pytest.fixture(scope="module")
def scene() -> tuple[Mesh, Projected, Window, Seen]:
    """A ball before a box that it hides in part."""
    ball, box = solids.ball(0.3, (0.2, 0, 1)), solids.rounded_box((0.8, 0.8, 0.2), 0.02)
    mesh = assemble([loft(ball, 5, 1), loft(box, 2, 3)])
    flat, window = project(mesh, CAMERA, 200, 160)
    return mesh, flat, window, look(mesh, flat, window)


def test_the_shares_of_a_pixel_add_up(scene):
    _, _, window, seen = scene
    shares = np.bincount(seen.pixel, seen.share, window.size) + seen.gap.ravel()

    assert np.allclose(shares, 1)
    assert 0 < (seen.gap > 0).mean() < 1
    assert ((seen.gap > 0) & (seen.gap < 1)).sum() > 50  # outlines are smooth


def test_points_of_one_surface_stand_together(scene):
    mesh, _, _, seen = scene
    surface = mesh.surface[seen.triangle]

    assert sorted(set(surface.tolist())) == [2, 5]
    assert np.count_nonzero(np.diff(surface)) == 1


def test_images_show_what_the_middles_of_pixels_show(scene):
    mesh, _, _, seen = scene
    middle = np.flatnonzero(seen.middle)
    pixel = seen.pixel[middle]

    assert np.array_equal(np.sort(pixel), np.flatnonzero(seen.piece))
    assert np.array_equal(seen.piece.ravel()[pixel], mesh.faces.piece[seen.triangle[middle]] + 1)
    assert np.array_equal(seen.far.ravel()[pixel], seen.depth[middle])
    assert (seen.far[seen.piece == 0] == BEYOND).all()
    assert seen.depth.min() == pytest.approx(4 - 1 - 0.3, abs=0.01)


def test_every_point_lies_on_its_triangle(scene):
    _, flat, _, seen = scene
    places = np.stack([flat.x, flat.y], axis=1)
    x, y = planes(flat, seen, places)[0].at(slice(None))

    assert np.abs(x - seen.x).max() < 1e-2
    assert np.abs(y - seen.y).max() < 1e-2


def test_where_nothing_is_in_view_nothing_is_seen():
    mesh = assemble([loft(solids.ball(0.1, (50, 0, 0)), 5, 1)])
    flat, window = project(mesh, CAMERA, 64, 64)
    seen = look(mesh, flat, window)

    assert len(seen.pixel) == 0
    assert (seen.gap == 1).all()
