"""Colours of the visible points by light and material, and blending them into the background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posegen.figure.geometry.mesh import Mesh
from posegen.figure.geometry.vectors import Floats
from posegen.figure.rendering.light import Lighting, ShadowMap, corners, soften
from posegen.figure.rendering.looks import Look
from posegen.figure.rendering.melting import melt
from posegen.figure.rendering.planes import Planes, planes
from posegen.figure.rendering.raster import Projected
from posegen.figure.rendering.shading import albedo, shade, to_light, to_screen
from posegen.figure.rendering.visibility import Seen
from posegen.poses.camera import Camera

_MELT = 0.022  # metres around a crease that are smoothed
_CORNER = 0.05  # metres within which surfaces occlude ambient light
_COARSE = 2  # pixels of the window to a pixel of the ambient occlusion
_EVERY = 16  # every n-th point counts for the median depth
_PORTION = 30_000  # points shaded at once: they fit into the processor's cache and the limit of `light.sample`
_OFF = np.float32(
    0.006
)  # metres along the normal from a surface to where its light is computed, so that it does not shade itself


@dataclass(frozen=True)
class View:
    """A picture's camera, and its size in pixels."""

    camera: Camera
    width: int
    height: int


def pixels_per_metre(view: View, seen: Seen) -> float:
    """The scale at the figure's median depth."""
    return view.camera.focal * view.height / float(np.median(seen.depth[::_EVERY]))


def light_of_points(
    mesh: Mesh,
    projected: Projected,
    seen: Seen,
    view: View,
    looks: Mapping[int, Look],
    lighting: Lighting,
    shadow: ShadowMap,
) -> Floats:
    """(3, points) linear light from each visible point to the camera. `looks`: by surface number."""
    scale = pixels_per_metre(view, seen)
    to_camera = view.camera.orientation[:, 2].astype(np.float32)
    directions, at_rest = planes(projected, seen, mesh.normals, mesh.rest)
    normals = _normals(mesh, directions, seen, to_camera)
    melt(mesh, seen, normals, _MELT * scale)
    corner = _hidden(seen, _CORNER * scale)
    lit, hidden = _arriving(seen, normals, view, shadow, corner)
    light = np.empty((3, len(seen.depth)), np.float32)
    for surface, points in _by_surface(mesh, seen):
        x, y, z = (axis[points] for axis in normals)
        colour = albedo(looks[surface], len(x))
        if (paint := looks[surface].paint) is not None:
            paint(colour, *at_rest.at(points))
        arriving = lit[points], hidden[points]
        shade(light[:, points], looks[surface], colour, (x, y, z), to_camera, lighting, *arriving)
    return light


def _arriving(
    seen: Seen,
    normals: tuple[Floats, Floats, Floats],
    view: View,
    shadow: ShadowMap,
    corner: Floats,
) -> tuple[Floats, Floats]:
    """For each point, the share of the key light that reaches it, and its ambient occlusion, sampled from `corner`."""
    lit, hidden = np.empty_like(seen.depth), np.empty_like(seen.depth)
    for start in range(0, len(lit), _PORTION):
        points = slice(start, start + _PORTION)
        world = _world(seen, points, view)
        x, y, z = (place + axis[points] * _OFF for place, axis in zip(world, normals, strict=True))
        lit[points] = shadow.lit(x, y, z)
        hidden[points] = _nearest(corner, seen, points)
    return lit, hidden


def _normals(mesh: Mesh, directions: Planes, seen: Seen, to_camera: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit normals of all points. Those of visible inner sides are flipped."""
    count = len(seen.triangle)
    two_sided = mesh.two_sided.take(mesh.faces.piece.take(seen.triangle))
    normals = (np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32))
    for start in range(0, count, _PORTION):
        portion = slice(start, start + _PORTION)
        x, y, z = directions.at(portion)
        inside = two_sided[portion] & (x * to_camera[0] + y * to_camera[1] + z * to_camera[2] < 0)
        scale = np.where(inside, np.float32(-1), np.float32(1)) / np.maximum(np.sqrt(x * x + y * y + z * z), 1e-6)
        for normal, axis in zip(normals, (x, y, z), strict=True):
            np.multiply(axis, scale, out=normal[portion])
    return normals


def _by_surface(mesh: Mesh, seen: Seen) -> Iterator[tuple[int, slice]]:
    """Surface numbers with ranges of their points, each small enough for the processor's cache."""
    surface = mesh.surface.take(seen.triangle)
    change = np.flatnonzero(np.diff(surface)) + 1
    for start, end in pairwise([0, *change.tolist(), len(surface)]):
        for first in range(start, end, _PORTION):
            yield int(surface[start]), slice(first, min(first + _PORTION, end))


def _world(seen: Seen, points: slice, view: View) -> tuple[Floats, Floats, Floats]:
    """World positions of the points, metres."""
    camera, depth = view.camera, seen.depth[points]
    scale = depth * np.float32(1 / (camera.focal * view.height))
    right = (seen.x[points] + np.float32(seen.window.left - view.width / 2)) * scale
    up = (np.float32(view.height / 2 - seen.window.top) - seen.y[points]) * scale
    axes, origin = camera.orientation.astype(np.float32), camera.position.astype(np.float32)
    x, y, z = (origin[k] + right * axes[k, 0] + up * axes[k, 1] - depth * axes[k, 2] for k in range(3))
    return x, y, z


def _hidden(seen: Seen, reach: float) -> Floats:
    """Ambient occlusion of the window, in `_COARSE` resolution. `reach`: pixels of the window."""
    return soften(corners(np.ascontiguousarray(seen.far[::_COARSE, ::_COARSE]), reach / _COARSE), 1)


def _nearest(corner: Floats, seen: Seen, points: slice) -> Floats:
    """The values of the coarse picture at the points."""
    row, column = (place[points].astype(np.int32) // _COARSE for place in (seen.y, seen.x))
    return np.asarray(corner.take(row * np.int32(corner.shape[1]) + column))


def compose(behind: NDArray[np.uint8], colours: Floats, seen: Seen) -> NDArray[np.uint8]:
    """Puts the figure over the background of its window. Pixels at its edges are blended in linear light."""
    flat = np.ascontiguousarray(behind).reshape(-1, 3)
    edge = np.flatnonzero((seen.share < 1) | ~seen.middle)
    edge_pixel = seen.pixel.take(edge)
    blended = to_light(flat[edge_pixel].astype(np.float32).T) * seen.gap.ravel().take(edge_pixel)
    for start in range(0, len(seen.pixel), _PORTION):
        portion = slice(start, start + _PORTION)
        pixel = seen.pixel[portion]
        for channel, values in enumerate(to_screen(colours[:, portion]).astype(np.uint8)):
            flat[pixel, channel] = values
    # Several points share an edge pixel; their shares are summed.
    slot = np.zeros(len(flat), np.int32)
    slot[edge_pixel] = np.arange(len(edge), dtype=np.int32)
    own = slot.take(edge_pixel)
    share = seen.share.take(edge)
    for channel, (light, colour) in enumerate(zip(blended, colours, strict=True)):
        added = np.bincount(own, colour.take(edge) * share, len(edge)).astype(np.float32)
        flat[edge_pixel, channel] = to_screen(light.take(own) + added.take(own))
    return flat.reshape(behind.shape)
