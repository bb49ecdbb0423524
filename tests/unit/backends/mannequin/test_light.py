"""Light: shadows, corners, and the way to the screen and back."""

import numpy as np
import pytest

from posegen.backends.mannequin import solids
from posegen.backends.mannequin.geometry import assemble, loft, unit
from posegen.backends.mannequin.light import ShadowMap, corners, direction
from posegen.backends.mannequin.looks import linear
from posegen.backends.mannequin.shading import to_light, to_screen


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
