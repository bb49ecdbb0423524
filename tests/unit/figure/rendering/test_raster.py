"""Rasterising: no gaps, no overlaps, and the nearest triangle wins."""

import numpy as np
import pytest

from posegen.figure.rendering.raster import (
    LONGEST,
    Outlines,
    Projected,
    counted,
    front_facing,
    nearest,
    outlines,
    spans,
    unpack,
)
from posegen.figure.rendering.samples import OFFSETS, nearest_samples

SIDE = 64


def sheet_of(x, y, inverse_depth, triangles) -> Projected:
    places = (np.asarray(place, np.float32) for place in (x, y, inverse_depth))
    return Projected(*places, np.ascontiguousarray(np.asarray(triangles, np.intp).T))


def all_of(sheet: Projected) -> Outlines:
    return outlines(sheet, np.arange(sheet.corners.shape[1]))


def pixels_of(shapes: Outlines) -> np.ndarray:
    """How many triangles hold each pixel's middle."""
    found = spans(shapes, SIDE, SIDE)
    of, step = counted(found.count)
    return np.bincount(found.pixel[of] + step, minlength=SIDE * SIDE)


def crumpled_sheet(seed: int, shift: tuple[float, float] = (0, 0)) -> Projected:
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
    depth = chance.uniform(0.2, 0.9, x.size)
    return sheet_of(x.ravel() + shift[0], y.ravel() + shift[1], depth, triangles)


@pytest.mark.parametrize("seed", range(12))
def test_triangles_that_share_edges_cover_every_pixel_exactly_once(seed):
    assert np.array_equal(pixels_of(all_of(crumpled_sheet(seed))), np.ones(SIDE * SIDE))


@pytest.mark.parametrize("seed", range(4))
def test_samples_show_what_the_middles_of_a_shifted_picture_show(seed):
    pixels = np.sort(np.random.default_rng(seed).choice(SIDE * SIDE, 700, replace=False))
    samples = nearest_samples(all_of(crumpled_sheet(seed)), SIDE, SIDE, pixels)

    for found, (over, under) in zip(samples, OFFSETS, strict=True):
        shifted = nearest(all_of(crumpled_sheet(seed, (0.5 - over, 0.5 - under))), SIDE, SIDE)
        (triangle, depth), (same, same_depth) = unpack(found), unpack(shifted[pixels])
        assert (triangle == same).mean() > 0.99  # where an edge meets a sample, either triangle may have it
        assert np.allclose(depth, same_depth, atol=1e-4)


def test_what_is_longer_than_one_go_is_drawn_to_its_end():
    width = 5 * LONGEST + 3
    x, y = [0, width, width, 0], [0, 0, width, width]
    shapes = all_of(sheet_of(x, y, [0.5, 0.5, 0.25, 0.25], [(0, 2, 1), (0, 3, 2)]))
    depth = unpack(nearest(shapes, width, width))[1].reshape(width, width)

    assert np.allclose(depth, 0.5 - 0.25 * (np.arange(width)[:, None] + 0.5) / width, atol=1e-6)


def test_where_there_is_no_triangle_nothing_is_found():
    shapes = all_of(sheet_of([2, 8, 2], [2, 2, 8], np.ones(3), [(0, 1, 2)]))

    assert nearest(shapes, SIDE, SIDE).reshape(SIDE, SIDE)[10:].max() == 0
    assert not nearest_samples(shapes, SIDE, SIDE, np.array([40 * SIDE])).any()
    assert nearest_samples(shapes, SIDE, SIDE, np.empty(0, np.intp)).shape == (len(OFFSETS), 0)


def two_squares(near: int) -> Projected:
    x, y = [0, 40, 40, 0, 20, 60, 60, 20], [0, 0, 40, 40, 20, 20, 60, 60]
    depth = np.array([2.0] * 4 + [3.0] * 4 if near == 0 else [3.0] * 4 + [2.0] * 4)
    return sheet_of(x, y, 1 / depth, [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)])


@pytest.mark.parametrize("near", [0, 1])
def test_where_two_surfaces_overlap_the_nearer_one_is_seen(near):
    shapes = all_of(two_squares(near))
    middle = nearest(shapes, SIDE, SIDE)[30 * SIDE + 30 :][:1]
    samples = nearest_samples(shapes, SIDE, SIDE, np.array([30 * SIDE + 30]))

    for found in (middle, samples):
        triangle, inverse = unpack(found)
        assert (triangle // 2 == near).all()
        assert inverse == pytest.approx(0.5)


def test_depth_is_exact_across_a_slanted_triangle():
    front = nearest(all_of(sheet_of([0, 64, 0], [0, 0, 64], [0.2, 0.4, 0.3], [(0, 1, 2)])), SIDE, SIDE)
    pixel = np.flatnonzero(front)
    row, column = np.divmod(pixel, SIDE)

    expected = 0.2 + 0.2 * (column + 0.5) / 64 + 0.1 * (row + 0.5) / 64
    assert len(pixel) > 1900
    assert np.allclose(unpack(front[pixel])[1], expected, atol=1e-6)


def test_only_one_side_of_a_triangle_is_its_front():
    one, other = (sheet_of([0, 10, 0], [0, 0, 10], np.ones(3), [corners]) for corners in ((0, 1, 2), (0, 2, 1)))
    plain, both = np.zeros(1, np.bool_), np.ones(1, np.bool_)

    assert len(front_facing(one, plain)) == 0
    assert len(front_facing(other, plain)) == 1
    assert len(front_facing(one, both)) == 1
