"""The mannequin backend: from a recipe to a picture of a shaded, articulated, dressed figure. NumPy and OpenCV only.

It holds no state, so that any number of threads may render at once, and draws every random number from the recipe's
seed, so that a recipe gives the same bytes again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.backends.protocol import LARGEST_SEED, Capabilities, Recipe, Rendering
from posegen.errors import BackendRejected
from posegen.figure.background import paint_background
from posegen.figure.dressing import person
from posegen.figure.figure_looks import figure_looks
from posegen.figure.geometry import Floats, Mesh, assemble
from posegen.figure.light import ShadowMap, corners, soften
from posegen.figure.looks import PALETTES, Look
from posegen.figure.materials import prop_looks
from posegen.figure.melting import melt
from posegen.figure.outfits import OUTFITS
from posegen.figure.physique import physique
from posegen.figure.planes import Planes, planes
from posegen.figure.props import props
from posegen.figure.raster import Projected
from posegen.figure.rig import Rig
from posegen.figure.settings import Scene, scene
from posegen.figure.shading import albedo, shade, to_light, to_screen
from posegen.figure.visibility import Seen, look, project
from posegen.poses.camera import Camera, frame
from posegen.poses.keypoints import project as project_keypoints
from posegen.poses.kinematics import solve
from posegen.poses.posed_skeleton import PosedSkeleton

NAME = "mannequin"
VERSION = "2"
"""Rises with every change that alters a picture: recipes carry it, and a recipe is a picture."""

SMALLEST_SIDE, LARGEST_SIDE = 64, 2048
_MELT = 0.022  # metres around a crease that are rounded
_CORNER = 0.05  # metres within which surfaces keep light from each other
_COARSE = 2
_KEPT = 24 * 2**20  # bytes
_EVERY = 16  # point whose depth counts for the figure's middle one
_PORTION = 30_000  # points shaded at once: few enough for the processor's cache, and for `light.sample`
_OFF = np.float32(0.006)  # metres along the normal from where light is looked for: no surface shades itself


class Mannequin:
    """Renders recipes offline; see `posegen.backends.protocol.Backend`."""

    name = NAME
    version = VERSION
    capabilities = Capabilities(
        largest_side=LARGEST_SIDE, pose_control=True, free_prompt=False, ground_truth=True, costs_money=False
    )

    def __init__(self) -> None:
        # A picture is the work of one thread, several of which may render at once.
        cv2.setNumThreads(1)
        # Memory that a picture took stays with the process for the next one: what the C library sees freed in one
        # piece it takes for the measure of what to keep, and asking the system for it anew is slow.
        np.empty(_KEPT, np.uint8)

    def render(self, recipe: Recipe) -> Rendering:
        """The picture, its keypoints, depth and part mask. Raises `BackendRejected`."""
        _check(recipe)
        width, height = recipe.width, recipe.height
        skeleton = solve(recipe.specification, physique(recipe.avatar).build)
        camera = frame(skeleton, recipe.specification, width / height)
        mesh = _model(recipe, skeleton)
        projected, window = project(mesh, camera, width, height)
        seen = look(mesh, projected, window)
        taken = scene(recipe.avatar.setting, recipe.seed, camera)
        shadow = ShadowMap(mesh, taken.lighting.key, taken.setting.softness)
        pixels = paint_background(taken, camera, skeleton, mesh.vertices, shadow, width, height)
        place = (slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
        pixels[place] = _compose(pixels[place], _shaded(recipe, mesh, projected, seen, camera, taken, shadow), seen)
        depth, parts = np.full((height, width), np.inf, np.float32), np.zeros((height, width), np.uint8)
        np.copyto(depth[place], seen.far, where=seen.piece > 0)
        parts[place] = cv2.LUT(seen.piece, _parts(mesh))
        return Rendering(pixels, project_keypoints(skeleton, camera), depth, parts)


def _check(recipe: Recipe) -> None:
    if recipe.backend != NAME or recipe.backend_version != VERSION:
        raise BackendRejected(
            f"The recipe is for {recipe.backend} {recipe.backend_version}, this is {NAME} {VERSION}; "
            "make a new recipe for this version."
        )
    for side, value in (("width", recipe.width), ("height", recipe.height)):
        if not SMALLEST_SIDE <= value <= LARGEST_SIDE:
            raise BackendRejected(f"The {side} is {value}; it must lie between {SMALLEST_SIDE} and {LARGEST_SIDE}.")
    if not 0 <= recipe.seed <= LARGEST_SEED:
        raise BackendRejected(f"The seed is {recipe.seed}; it must lie between 0 and {LARGEST_SEED}.")


def _model(recipe: Recipe, skeleton: PosedSkeleton) -> Mesh:
    rig = Rig(skeleton, physique(recipe.avatar))
    pieces = person(rig, recipe.avatar, OUTFITS[recipe.avatar.clothing], recipe.specification)
    return assemble(pieces + props(skeleton))


def _shaded(
    recipe: Recipe, mesh: Mesh, projected: Projected, seen: Seen, camera: Camera, taken: Scene, shadow: ShadowMap
) -> Floats:
    """(3, points) linear light."""
    pixels_per_metre = camera.focal * recipe.height / float(np.median(seen.depth[::_EVERY]))
    view = camera.orientation[:, 2].astype(np.float32)
    directions, at_rest = planes(projected, seen, mesh.normals, mesh.rest)
    normals = _normals(mesh, directions, seen, view)
    melt(mesh, seen, normals, _MELT * pixels_per_metre)
    corner = _hidden(seen, _CORNER * pixels_per_metre)
    looks = _looks(recipe, 1 / pixels_per_metre)
    lit, hidden = _arriving(seen, normals, camera, recipe, shadow, corner)
    light = np.empty((3, len(seen.depth)), np.float32)
    for surface, points in _by_surface(mesh, seen):
        x, y, z = (axis[points] for axis in normals)
        colour = albedo(looks[surface], len(x))
        if (paint := looks[surface].paint) is not None:
            paint(colour, *at_rest.at(points))
        arriving = lit[points], hidden[points]
        shade(light[:, points], looks[surface], colour, (x, y, z), view, taken.lighting, *arriving)
    return light


def _arriving(
    seen: Seen,
    normals: tuple[Floats, Floats, Floats],
    camera: Camera,
    recipe: Recipe,
    shadow: ShadowMap,
    corner: Floats,
) -> tuple[Floats, Floats]:
    """For each point, the share of the key light that reaches it, and its ambient occlusion out of `corner`."""
    lit, hidden = np.empty_like(seen.depth), np.empty_like(seen.depth)
    for start in range(0, len(lit), _PORTION):
        points = slice(start, start + _PORTION)
        world = _world(seen, points, camera, recipe)
        x, y, z = (place + axis[points] * _OFF for place, axis in zip(world, normals, strict=True))
        lit[points] = shadow.lit(x, y, z)
        hidden[points] = _nearest(corner, seen, points)
    return lit, hidden


def _parts(mesh: Mesh) -> NDArray[np.uint8]:
    """(256,) the part that each piece belongs to, by its number plus 1; 0 is the background."""
    parts = np.zeros(256, np.uint8)
    parts[1 : len(mesh.part) + 1] = mesh.part
    return parts


def _normals(mesh: Mesh, directions: Planes, seen: Seen, view: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit normals of all points; those of an inside that is seen are turned round."""
    count = len(seen.triangle)
    two_sided = mesh.two_sided.take(mesh.faces.piece.take(seen.triangle))
    normals = (np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32))
    for start in range(0, count, _PORTION):
        portion = slice(start, start + _PORTION)
        x, y, z = directions.at(portion)
        inside = two_sided[portion] & (x * view[0] + y * view[1] + z * view[2] < 0)
        scale = np.where(inside, np.float32(-1), np.float32(1)) / np.maximum(np.sqrt(x * x + y * y + z * z), 1e-6)
        for normal, axis in zip(normals, (x, y, z), strict=True):
            np.multiply(axis, scale, out=normal[portion])
    return normals


def _by_surface(mesh: Mesh, seen: Seen) -> Iterator[tuple[int, slice]]:
    """Each surface's number with points that have it, so many at a time as stay in the processor's cache."""
    surface = mesh.surface.take(seen.triangle)
    change = np.flatnonzero(np.diff(surface)) + 1
    for start, end in pairwise([0, *change.tolist(), len(surface)]):
        for first in range(start, end, _PORTION):
            yield int(surface[start]), slice(first, min(first + _PORTION, end))


def _looks(recipe: Recipe, blur: float) -> dict[int, Look]:
    """`blur`: metres to a pixel."""
    person_looks = figure_looks(recipe.avatar, recipe.specification, physique(recipe.avatar).build, blur)
    return person_looks | prop_looks(PALETTES[recipe.avatar.style])


def _world(seen: Seen, points: slice, camera: Camera, recipe: Recipe) -> tuple[Floats, Floats, Floats]:
    """Where the points are, metres."""
    depth = seen.depth[points]
    scale = depth * np.float32(1 / (camera.focal * recipe.height))
    right = (seen.x[points] + np.float32(seen.window.left - recipe.width / 2)) * scale
    up = (np.float32(recipe.height / 2 - seen.window.top) - seen.y[points]) * scale
    axes, origin = camera.orientation.astype(np.float32), camera.position.astype(np.float32)
    x, y, z = (origin[k] + right * axes[k, 0] + up * axes[k, 1] - depth * axes[k, 2] for k in range(3))
    return x, y, z


def _hidden(seen: Seen, reach: float) -> Floats:
    """Ambient occlusion on a picture coarser than the window."""
    return soften(corners(np.ascontiguousarray(seen.far[::_COARSE, ::_COARSE]), reach / _COARSE), 1)


def _nearest(corner: Floats, seen: Seen, points: slice) -> Floats:
    """What the coarse picture has at the points."""
    row, column = (place[points].astype(np.int32) // _COARSE for place in (seen.y, seen.x))
    return np.asarray(corner.take(row * np.int32(corner.shape[1]) + column))


def _compose(behind: NDArray[np.uint8], colours: Floats, seen: Seen) -> NDArray[np.uint8]:
    """The figure over the background of its window: whole pixels as they are, edges blended in light."""
    flat = np.ascontiguousarray(behind).reshape(-1, 3)
    edge = np.flatnonzero((seen.share < 1) | ~seen.middle)
    edge_pixel = seen.pixel.take(edge)
    blended = to_light(flat[edge_pixel].astype(np.float32).T) * seen.gap.ravel().take(edge_pixel)
    for start in range(0, len(seen.pixel), _PORTION):
        portion = slice(start, start + _PORTION)
        pixel = seen.pixel[portion]
        for channel, values in enumerate(to_screen(colours[:, portion]).astype(np.uint8)):
            flat[pixel, channel] = values
    # Several points share an edge pixel: each adds its part to the same sum.
    slot = np.zeros(len(flat), np.int32)
    slot[edge_pixel] = np.arange(len(edge), dtype=np.int32)
    own = slot.take(edge_pixel)
    share = seen.share.take(edge)
    for channel, (light, colour) in enumerate(zip(blended, colours, strict=True)):
        added = np.bincount(own, colour.take(edge) * share, len(edge)).astype(np.float32)
        flat[edge_pixel, channel] = to_screen(light.take(own) + added.take(own))
    return flat.reshape(behind.shape)
