"""Light: shadows, corners, and the way to the screen and back."""

import numpy as np
import pytest

from posegen.figure.geometry import solids
from posegen.figure.geometry.mesh import assemble, loft
from posegen.figure.geometry.vectors import unit
from posegen.figure.rendering.light import ShadowMap, corners, direction, sample, soften
from posegen.figure.rendering.looks import linear
from posegen.figure.rendering.shading import to_light, to_screen


@pytest.mark.parametrize("yaw", [0, 130])
def test_what_lies_behind_something_is_in_its_shadow(yaw):
    key = unit(direction(yaw, 60))
    plate = loft(solids.rounded_box((0.6, 0.02, 0.6), 0.004, (0, 1, 0)), 0, 1)
    shadow = ShadowMap(assemble([plate]), key, 0.02)
    below = np.array([0, 1, 0]) - key * 0.5
    x, y, z = (np.array([below[k], below[k] + (1.0 if k == 0 else 0)], np.float32) for k in range(3))

    covered, beside = shadow.lit(x, y, z)

    assert covered < 0.05
    assert beside == 1


def test_a_surface_does_not_shade_itself():
    key = unit(direction(20, 50))
    ball = loft(solids.ball(0.3), 0, 1)
    lit = ShadowMap(assemble([ball]), key, 0.02).lit(*(ball.vertices + ball.normals * 0.006).T)

    assert lit[(ball.normals @ key) > 0.3].min() > 0.9
    assert lit[(ball.normals @ key) < -0.6].max() < 0.1


def test_a_groove_is_darker_than_a_slope():
    x = np.abs(np.arange(64) - 32)
    groove = np.tile(3.0 - 0.004 * x, (64, 1)).astype(np.float32)
    slope = np.tile(3.0 + 0.004 * np.arange(64), (64, 1)).astype(np.float32)

    assert corners(groove, 8)[32, 32] > 0.2
    assert corners(slope, 8)[32, 32] == pytest.approx(0, abs=1e-3)


def test_a_colour_of_the_screen_comes_back_from_light():
    shades = np.arange(0, 226, dtype=np.float32)

    assert np.allclose(to_screen(to_light(shades)), shades, atol=0.01)
    assert to_screen(np.array([9.0], np.float32)) == 255
    assert linear(255, 128, 0)[0] == 1


def test_between_the_middles_of_pixels_an_image_changes_evenly_and_its_border_goes_on():
    image = np.tile(np.arange(8, dtype=np.float32), (6, 1))
    x = np.array([0.5, 3.0, 7.5, -20.0, 20.0], np.float32)

    found = sample(image, x, np.full(5, 2.0, np.float32))

    assert np.allclose(found, [0, 2.5, 7, 0, 7], atol=0.02)


def test_samples_have_the_shape_of_their_places():
    two = np.dstack([np.full((5, 5), 1.0), np.full((5, 5), 2.0)]).astype(np.float32)

    assert sample(two, np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32)).shape == (3, 4, 2)
    assert np.allclose(sample(two, np.zeros(3, np.float32), np.zeros(3, np.float32)), [1, 2])


def test_softening_spreads_light_evenly_and_loses_none():
    image = np.zeros((21, 21), np.float32)
    image[10, 10] = 1
    soft = soften(image, 2)

    assert soft.sum() == pytest.approx(1)
    assert np.allclose(soft, soft.T)
    assert soft[10, 10] > soft[10, 12] > soft[10, 14] > soft[10, 15] == 0
