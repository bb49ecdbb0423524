"""The mannequin backend: from a recipe to a picture of a shaded, articulated, dressed figure. NumPy and OpenCV only.

It holds no state, so that any number of threads may render at once, and draws every random number from the recipe's
seed, so that a recipe gives the same bytes again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.backends.protocol import LARGEST_SEED, Capabilities, Recipe, Rendering
from posegen.errors import BackendRejected, InvalidSize
from posegen.figure.background import paint_background
from posegen.figure.dressing import person
from posegen.figure.figure_looks import figure_looks
from posegen.figure.geometry import Floats, Mesh, assemble
from posegen.figure.light import Lighting, ShadowMap, corners, soften
from posegen.figure.looks import PALETTES, Look
from posegen.figure.materials import prop_looks
from posegen.figure.melting import melt
from posegen.figure.outfits import OUTFITS
from posegen.figure.physique import physique
from posegen.figure.placement import place
from posegen.figure.planes import Planes, planes
from posegen.figure.props import props
from posegen.figure.raster import Projected
from posegen.figure.rig import Rig
from posegen.figure.settings import scene
from posegen.figure.shading import albedo, shade, to_light, to_screen
from posegen.figure.visibility import Seen, look, project
from posegen.poses.avatar import Avatar
from posegen.poses.camera import Camera
from posegen.poses.keypoints import Keypoints
from posegen.poses.keypoints import project as project_keypoints
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.specification import PoseSpecification

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


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn figure in its surroundings.

    `pixels`: (height, width, 3) uint8, sRGB; `keypoints`: the 18 OpenPose points; `depth`: (height, width) float32,
    metres from the camera, infinite outside of the figure; `part_mask`: (height, width) uint8, numbers of `Part`.
    """

    pixels: NDArray[np.uint8]
    keypoints: Keypoints
    depth: NDArray[np.float32]
    part_mask: NDArray[np.uint8]


def draw(
    specification: PoseSpecification, avatar: Avatar, *, seed: int = 0, width: int = 1024, height: int = 1024
) -> Drawing:
    """Draws an avatar in a pose. The same arguments give the same bytes; any number of threads may draw at once.

    Args:
        specification: the pose, with props, face and view.
        avatar: body, hair, clothes, colours and setting.
        seed: 0 or more; varies light and background, never the figure.
        width: pixels, `SMALLEST_SIDE` to `LARGEST_SIDE`.
        height: pixels, in the same range.

    Raises:
        InvalidSize: `width` or `height` is out of range.
    """
    _check_size(width, height)
    _prepare_process()
    skeleton, camera = place(specification, avatar, width / height)
    view = View(camera, width, height)
    mesh = _model(specification, avatar, skeleton)
    projected, window = project(mesh, camera, width, height)
    seen = look(mesh, projected, window)
    taken = scene(avatar.setting, seed, camera)
    shadow = ShadowMap(mesh, taken.lighting.key, taken.setting.softness)
    pixels = paint_background(taken, camera, skeleton, mesh.vertices, shadow, width, height)
    where = (slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
    scale = pixels_per_metre(view, seen)
    looks = figure_looks(avatar, specification, skeleton.build, 1 / scale) | prop_looks(PALETTES[avatar.style])
    light = light_of_points(mesh, projected, seen, view, looks, taken.lighting, shadow)
    pixels[where] = compose(pixels[where], light, seen)
    depth, parts = np.full((height, width), np.inf, np.float32), np.zeros((height, width), np.uint8)
    np.copyto(depth[where], seen.far, where=seen.piece > 0)
    parts[where] = cv2.LUT(seen.piece, _parts(mesh))
    return Drawing(pixels, project_keypoints(skeleton, camera), depth, parts)


def _check_size(width: int, height: int) -> None:
    for side, value in (("width", width), ("height", height)):
        if not SMALLEST_SIDE <= value <= LARGEST_SIDE:
            raise InvalidSize(f"The {side} is {value}; it must lie between {SMALLEST_SIDE} and {LARGEST_SIDE}.")


@cache
def _prepare_process() -> None:
    # One thread draws one picture; several may draw at once.
    cv2.setNumThreads(1)
    # glibc raises its mmap and trim thresholds to the largest block freed so far. One large block, freed here, makes it
    # keep the memory of a picture for the next one; requesting it from the system again is slow.
    np.empty(_KEPT, np.uint8)


def _model(specification: PoseSpecification, avatar: Avatar, skeleton: PosedSkeleton) -> Mesh:
    pieces = person(Rig(skeleton, physique(avatar)), avatar, OUTFITS[avatar.clothing], specification)
    return assemble(pieces + props(skeleton))


class Mannequin:
    """The figure as a backend; see `posegen.backends.protocol.Backend`."""

    name = NAME
    version = VERSION
    capabilities = Capabilities(
        largest_side=LARGEST_SIDE, pose_control=True, free_prompt=False, ground_truth=True, costs_money=False
    )

    def render(self, recipe: Recipe) -> Rendering:
        """Draws the recipe's figure. Raises `BackendRejected`."""
        _check(recipe)
        size = {"width": recipe.width, "height": recipe.height}
        try:
            drawing = draw(recipe.specification, recipe.avatar, seed=recipe.seed, **size)
        except InvalidSize as invalid:
            raise BackendRejected(str(invalid)) from invalid
        return Rendering(drawing.pixels, drawing.keypoints, drawing.depth, drawing.part_mask)


def _check(recipe: Recipe) -> None:
    if recipe.backend != NAME or recipe.backend_version != VERSION:
        raise BackendRejected(
            f"The recipe is for {recipe.backend} {recipe.backend_version}, this is {NAME} {VERSION}; "
            "make a new recipe for this version."
        )
    if not 0 <= recipe.seed <= LARGEST_SEED:
        raise BackendRejected(f"The seed is {recipe.seed}; it must lie between 0 and {LARGEST_SEED}.")


@dataclass(frozen=True)
class View:
    """A picture's camera, and its size in pixels."""

    camera: Camera
    width: int
    height: int


def pixels_per_metre(view: View, seen: Seen) -> float:
    """The scale in the middle of the figure."""
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
    """(3, points) the linear light that each point sends to the camera. `looks`: by surface number."""
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
    """For each point, the share of the key light that reaches it, and its ambient occlusion out of `corner`."""
    lit, hidden = np.empty_like(seen.depth), np.empty_like(seen.depth)
    for start in range(0, len(lit), _PORTION):
        points = slice(start, start + _PORTION)
        world = _world(seen, points, view)
        x, y, z = (place + axis[points] * _OFF for place, axis in zip(world, normals, strict=True))
        lit[points] = shadow.lit(x, y, z)
        hidden[points] = _nearest(corner, seen, points)
    return lit, hidden


def _parts(mesh: Mesh) -> NDArray[np.uint8]:
    """(256,) the part that each piece belongs to, by its number plus 1; 0 is the background."""
    parts = np.zeros(256, np.uint8)
    parts[1 : len(mesh.part) + 1] = mesh.part
    return parts


def _normals(mesh: Mesh, directions: Planes, seen: Seen, to_camera: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit normals of all points; those of an inside that is seen are turned round."""
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
    """Each surface's number with points that have it, so many at a time as stay in the processor's cache."""
    surface = mesh.surface.take(seen.triangle)
    change = np.flatnonzero(np.diff(surface)) + 1
    for start, end in pairwise([0, *change.tolist(), len(surface)]):
        for first in range(start, end, _PORTION):
            yield int(surface[start]), slice(first, min(first + _PORTION, end))


def _world(seen: Seen, points: slice, view: View) -> tuple[Floats, Floats, Floats]:
    """Where the points are, metres."""
    camera, depth = view.camera, seen.depth[points]
    scale = depth * np.float32(1 / (camera.focal * view.height))
    right = (seen.x[points] + np.float32(seen.window.left - view.width / 2)) * scale
    up = (np.float32(view.height / 2 - seen.window.top) - seen.y[points]) * scale
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


def compose(behind: NDArray[np.uint8], colours: Floats, seen: Seen) -> NDArray[np.uint8]:
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
