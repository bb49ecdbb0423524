"""Rasterising: no gaps, no overlaps, and the nearest triangle wins."""

import numpy as np
import pytest

from posegen.backends.mannequin.raster import (
    SAMPLE_OFFSETS,
    Fragments,
    Projected,
    fragments,
    front_facing,
    nearest,
    projected,
    unpack,
    wanted,
)

SIDE = 64


def sheet_of(x, y, inverse_depth, triangles) -> Projected:
    places = (np.asarray(place, np.float32) for place in (x, y, inverse_depth))
    return projected(*places, np.asarray(triangles, np.int32))


def all_fragments(mesh: Projected, *options) -> Fragments:
    portions = list(fragments(mesh, SIDE, SIDE, *options))
    return Fragments(*(np.concatenate([getattr(one, name) for one in portions]) for name in vars(portions[0])))


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
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return sheet_of(x.ravel(), y.ravel(), np.full(x.size, 0.5), triangles)


@pytest.mark.parametrize("offset", [(0.5, 0.5), *SAMPLE_OFFSETS])
@pytest.mark.parametrize("seed", range(4))
def test_triangles_that_share_edges_cover_every_sample_exactly_once(seed, offset):
    found = all_fragments(crumpled_sheet(seed), offset)

    assert np.array_equal(np.bincount(found.pixel, minlength=SIDE * SIDE), np.ones(SIDE * SIDE))


def test_only_wanted_pixels_are_sampled_and_as_they_would_be_with_all_others():
    mesh = crumpled_sheet(1)
    pixels = np.array([0, 5, 64, 65, 66, 700, SIDE * SIDE - 1], np.int32)
    every, some = all_fragments(mesh), all_fragments(mesh, (0.5, 0.5), wanted(pixels, SIDE * SIDE))
    triangles = dict(zip(every.pixel.tolist(), every.triangle.tolist(), strict=True))

    assert sorted(some.pixel.tolist()) == list(range(len(pixels)))
    assert [triangles[int(pixels[index])] for index in some.pixel] == some.triangle.tolist()


def two_squares(near: int) -> Projected:
    x, y = [0, 40, 40, 0, 20, 60, 60, 20], [0, 0, 40, 40, 20, 20, 60, 60]
    depth = np.array([2.0] * 4 + [3.0] * 4 if near == 0 else [3.0] * 4 + [2.0] * 4)
    return sheet_of(x, y, 1 / depth, [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)])


@pytest.mark.parametrize("near", [0, 1])
def test_where_two_surfaces_overlap_the_nearer_one_is_seen(near):
    front = nearest(fragments(two_squares(near), SIDE, SIDE), SIDE * SIDE)
    triangle, inverse = unpack(front.reshape(SIDE, SIDE)[30, 30:31])

    assert triangle[0] // 2 == near
    assert inverse[0] == pytest.approx(0.5)


def test_depth_is_exact_across_a_slanted_triangle():
    found = all_fragments(sheet_of([0, 64, 0], [0, 0, 64], [0.2, 0.4, 0.3], [(0, 1, 2)]))
    row, column = np.divmod(found.pixel, SIDE)

    expected = 0.2 + 0.2 * (column + 0.5) / 64 + 0.1 * (row + 0.5) / 64
    assert np.allclose(found.inverse_depth, expected, atol=1e-6)


def test_only_one_side_of_a_triangle_is_its_front():
    one, other = (sheet_of([0, 10, 0], [0, 0, 10], np.ones(3), [corners]) for corners in ((0, 1, 2), (0, 2, 1)))
    plain, both = np.zeros(1, np.bool_), np.ones(1, np.bool_)

    assert len(front_facing(one, plain)) == 0
    assert len(front_facing(other, plain)) == 1
    assert len(front_facing(one, both)) == 1
