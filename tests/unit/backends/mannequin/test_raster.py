"""Rasterising: no gaps, no overlaps, and the nearest triangle wins."""

import numpy as np
import pytest

from posegen.backends.mannequin.raster import SAMPLE_OFFSETS, Projected, Spans, front_facing, nearest, unpack

SIDE = 64


def crumpled_sheet(seed: int) -> Projected:
    """A sheet over the whole picture and beyond, whose corners are moved at random: every edge is shared."""
    chance = np.random.default_rng(seed)
    steps = np.linspace(-9, SIDE + 9, 24)
    x, y = np.meshgrid(steps, steps)
    inner = (slice(1, -1), slice(1, -1))
    for axis in (x, y):
        axis[inner] += chance.uniform(-0.6, 0.6, axis[inner].shape)
        axis[::5, ::3] = np.round(axis[::5, ::3]) + 0.5  # some exactly on sample positions
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    return Projected(
        x.ravel().astype(np.float32), y.ravel().astype(np.float32), np.full(x.size, 0.5, np.float32), triangles
    )


@pytest.mark.parametrize("offset", [(0.5, 0.5), *SAMPLE_OFFSETS])
@pytest.mark.parametrize("seed", range(4))
def test_triangles_that_share_edges_cover_every_sample_exactly_once(seed, offset):
    found = Spans(crumpled_sheet(seed), SIDE, SIDE).sample(offset)

    assert np.array_equal(np.bincount(found.pixel, minlength=SIDE * SIDE), np.ones(SIDE * SIDE))


def two_squares(near: int) -> Projected:
    x = np.array([0, 40, 40, 0, 20, 60, 60, 20], np.float32)
    y = np.array([0, 0, 40, 40, 20, 20, 60, 60], np.float32)
    depth = np.array([2.0] * 4 + [3.0] * 4 if near == 0 else [3.0] * 4 + [2.0] * 4, np.float32)
    triangles = np.array([(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)], np.int32)
    return Projected(x, y, 1 / depth, triangles)


@pytest.mark.parametrize("near", [0, 1])
def test_where_two_surfaces_overlap_the_nearer_one_is_seen(near):
    front = nearest(Spans(two_squares(near), SIDE, SIDE).sample(), SIDE * SIDE)
    triangle, inverse = unpack(front.reshape(SIDE, SIDE)[30, 30:31])

    assert triangle[0] // 2 == near
    assert inverse[0] == pytest.approx(0.5)


def test_depth_is_exact_across_a_slanted_triangle():
    x, y = np.array([0, 64, 0], np.float32), np.array([0, 0, 64], np.float32)
    slanted = Projected(x, y, np.array([0.2, 0.4, 0.3], np.float32), np.array([[0, 1, 2]], np.int32))
    found = Spans(slanted, SIDE, SIDE).sample()
    row, column = np.divmod(found.pixel, SIDE)

    expected = 0.2 + 0.2 * (column + 0.5) / 64 + 0.1 * (row + 0.5) / 64
    assert np.allclose(found.inverse_depth, expected, atol=1e-6)


def test_only_one_side_of_a_triangle_is_its_front():
    x, y = np.array([0, 10, 0], np.float32), np.array([0, 0, 10], np.float32)
    one, other = np.array([[0, 1, 2]], np.int32), np.array([[0, 2, 1]], np.int32)
    depth = np.ones(3, np.float32)
    plain, both = np.zeros(1, np.bool_), np.ones(1, np.bool_)

    assert len(front_facing(Projected(x, y, depth, one), plain)) == 0
    assert len(front_facing(Projected(x, y, depth, other), plain)) == 1
    assert len(front_facing(Projected(x, y, depth, one), both)) == 1
