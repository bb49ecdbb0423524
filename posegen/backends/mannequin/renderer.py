"""The mannequin backend: from a recipe to a picture of a shaded, articulated, dressed figure. NumPy and Pillow only.

It holds no state, so that any number of threads may render at once, and draws every random number from the recipe's
seed, so that a recipe gives the same bytes again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.backends.mannequin.background import paint_background
from posegen.backends.mannequin.dressing import person
from posegen.backends.mannequin.figure_looks import figure_looks
from posegen.backends.mannequin.geometry import Floats, Mesh, assemble
from posegen.backends.mannequin.light import ShadowMap, corners, sample, soften
from posegen.backends.mannequin.looks import PALETTES, Look
from posegen.backends.mannequin.materials import prop_looks
from posegen.backends.mannequin.melting import melt
from posegen.backends.mannequin.outfits import OUTFITS
from posegen.backends.mannequin.physique import physique
from posegen.backends.mannequin.props import props
from posegen.backends.mannequin.raster import Projected
from posegen.backends.mannequin.rig import Rig
from posegen.backends.mannequin.settings import Scene, scene
from posegen.backends.mannequin.shading import albedo, shade, to_light, to_screen
from posegen.backends.mannequin.visibility import Seen, interpolate, look, project
from posegen.backends.protocol import LARGEST_SEED, Capabilities, Recipe, Rendering
from posegen.errors import BackendRejected
from posegen.poses.camera import Camera, frame
from posegen.poses.figure import Figure
from posegen.poses.keypoints import project as project_keypoints
from posegen.poses.kinematics import solve

NAME = "mannequin"
VERSION = "1"
"""Rises with every change that alters a picture: recipes carry it, and a recipe is a picture."""

SMALLEST_SIDE, LARGEST_SIDE = 64, 2048
_MELT = 0.022  # metres around a crease that are rounded
_CORNER = 0.05  # metres within which surfaces keep light from each other
_COARSE = 2


class Mannequin:
    """Renders recipes offline; see `posegen.backends.protocol.Backend`."""

    name = NAME
    version = VERSION
    capabilities = Capabilities(
        largest_side=LARGEST_SIDE, pose_control=True, free_prompt=False, ground_truth=True, costs_money=False
    )

    def render(self, recipe: Recipe) -> Rendering:
        """The picture, its keypoints, depth and part mask. Raises `BackendRejected`."""
        _check(recipe)
        width, height = recipe.width, recipe.height
        figure = solve(recipe.specification, physique(recipe.avatar).build)
        camera = frame(figure, recipe.specification, width / height)
        mesh = _model(recipe, figure)
        projected = project(mesh, camera, width, height)
        seen = look(mesh, projected, width, height)
        taken = scene(recipe.avatar.setting, recipe.seed, camera)
        shadow = ShadowMap(mesh, taken.lighting.key, taken.setting.softness)
        pixels = paint_background(taken, camera, figure, mesh.vertices, shadow, width, height)
        _compose(pixels, _shaded(recipe, mesh, projected, seen, camera, taken, shadow), seen)
        depth = np.full(width * height, np.inf, np.float32)
        middles = seen.pixel[: seen.centres]
        depth[middles] = 1 / seen.inverse_depth[: seen.centres]
        parts = np.zeros(width * height, np.uint8)
        parts[middles] = mesh.part[seen.triangle[: seen.centres]]
        return Rendering(
            pixels=pixels,
            keypoints=project_keypoints(figure, camera),
            depth=depth.reshape(height, width),
            part_mask=parts.reshape(height, width),
        )


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


def _model(recipe: Recipe, figure: Figure) -> Mesh:
    rig = Rig(figure, physique(recipe.avatar))
    pieces = person(rig, recipe.avatar, OUTFITS[recipe.avatar.clothing], recipe.specification)
    return assemble(pieces + props(figure))


def _shaded(
    recipe: Recipe, mesh: Mesh, projected: Projected, seen: Seen, camera: Camera, taken: Scene, shadow: ShadowMap
) -> Floats:
    """(3, points) linear light."""
    width, height = recipe.width, recipe.height
    nx, ny, nz, *rest = interpolate(mesh, projected, seen, np.concatenate([mesh.normals, mesh.rest], axis=1))
    depth = np.reciprocal(seen.inverse_depth)
    pixels_per_metre = camera.focal * height / float(np.median(depth))
    view = camera.orientation[:, 2].astype(np.float32)
    inside = mesh.two_sided[seen.triangle] & (nx * view[0] + ny * view[1] + nz * view[2] < 0)
    length = np.where(inside, np.float32(-1), np.float32(1)) / np.maximum(
        np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-6)
    )
    normal = melt(mesh, seen, (nx * length, ny * length, nz * length), _MELT * pixels_per_metre)
    x, y, z = _world(seen, depth, camera, width, height)
    off = np.float32(0.006)  # along the normal, so that a surface does not shade itself
    lit = shadow.lit(x + normal[0] * off, y + normal[1] * off, z + normal[2] * off)
    hidden = _hidden(seen, depth, _CORNER * pixels_per_metre)
    surface = mesh.surface[seen.triangle]
    looks = _looks(recipe, 1 / pixels_per_metre)
    colour = albedo(looks, surface, (rest[0], rest[1], rest[2]))
    return shade(looks, surface, colour, normal, view, taken.lighting, lit, hidden)


def _looks(recipe: Recipe, blur: float) -> dict[int, Look]:
    """`blur`: metres to a pixel."""
    person_looks = figure_looks(recipe.avatar, recipe.specification, physique(recipe.avatar).build, blur)
    return person_looks | prop_looks(PALETTES[recipe.avatar.style])


def _world(seen: Seen, depth: Floats, camera: Camera, width: int, height: int) -> tuple[Floats, Floats, Floats]:
    focal = np.float32(camera.focal * height)
    right = (seen.x - np.float32(width / 2)) / focal * depth
    up = (np.float32(height / 2) - seen.y) / focal * depth
    axes, origin = camera.orientation.astype(np.float32), camera.position.astype(np.float32)
    x, y, z = (origin[k] + right * axes[k, 0] + up * axes[k, 1] - depth * axes[k, 2] for k in range(3))
    return x, y, z


def _hidden(seen: Seen, depth: Floats, reach: float) -> Floats:
    """Ambient occlusion at each point, found on a coarser picture."""
    crop = seen.crop
    fine = crop.image(depth[: seen.centres], np.inf)
    hidden = soften(corners(np.ascontiguousarray(fine[::_COARSE, ::_COARSE]), reach / _COARSE), 1)
    step = np.float32(1 / _COARSE)
    return sample(hidden, (seen.x - np.float32(crop.left)) * step, (seen.y - np.float32(crop.top)) * step)


def _compose(pixels: NDArray[np.uint8], colours: Floats, seen: Seen) -> None:
    """Lays the figure over the background, in place."""
    touched = np.flatnonzero(seen.gap < 1)
    gap = seen.gap[touched]
    flat = pixels.reshape(-1, 3)
    middles, extra = slice(None, seen.centres), slice(seen.centres, None)
    slot = np.zeros(len(flat), np.int32)
    slot[touched] = np.arange(len(touched), dtype=np.int32)
    own, others = slot[seen.pixel[middles]], slot[seen.pixel[extra]]
    for channel, colour in enumerate(colours):
        light = to_light(flat[touched, channel].astype(np.float32)) * gap
        light[own] += colour[middles] * seen.share[middles]
        np.add.at(light, others, colour[extra] * seen.share[extra])
        flat[touched, channel] = to_screen(light)
