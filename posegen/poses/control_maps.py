"""Control maps: the skeleton drawing and the depth picture that ControlNets were trained on, and reading joints back.

The drawing follows `controlnet_aux` (open_pose/util.py, `draw_bodypose`, read 2026-11), pixel by pixel but for rims of
its limbs, and without antialiasing, so that a joint can be told by its colour alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posegen.poses.keypoints import KEYPOINTS, Keypoints
from posegen.poses.skeleton import Floats

Image = NDArray[np.uint8]
MapKind = Literal["openpose", "depth"]

STICK_WIDTH = 4
JOINT_RADIUS = 4
LIMB_SHADE = 0.6
COLOURS: tuple[tuple[int, int, int], ...] = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)
"""RGB of the 18 joints in the order of `KEYPOINTS`; the first 17 are the limbs' colours too."""

LIMBS: tuple[tuple[str, str], ...] = (
    ("neck", "right_shoulder"),
    ("neck", "left_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("neck", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("neck", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("neck", "nose"),
    ("nose", "right_eye"),
    ("right_eye", "right_ear"),
    ("nose", "left_eye"),
    ("left_eye", "left_ear"),
)
_SQUARES = np.arange(-JOINT_RADIUS, JOINT_RADIUS + 1) ** 2
# The reference fills a polygon through the ellipse's pixels, which adds about half a pixel all around.
_POLYGON_EDGE = 0.6
_FAINTEST = 50  # grey of the farthest visible point: well apart from the black of the background


def openpose_map(keypoints: Keypoints, width: int, height: int, stick_width: int = STICK_WIDTH) -> Image:
    """(height, width, 3) uint8 RGB: black ground, 17 limbs at 0.6 of their colour, then 18 joint discs in full colour.

    `stick_width`: half-width of the limbs in pixels, as the guided model was trained with. Joints that are not visible,
    and the limbs that end in one, are left out.
    """
    canvas: Image = np.zeros((height, width, 3), np.uint8)
    spots = keypoints.points * (width, height)
    for (start, end), colour in zip(LIMBS, COLOURS, strict=False):
        first, second = KEYPOINTS.index(start), KEYPOINTS.index(end)
        if keypoints.visible[first] and keypoints.visible[second]:
            shade = tuple(int(channel * LIMB_SHADE) for channel in colour)
            _fill_limb(canvas, spots[first], spots[second], stick_width, shade)
    for spot, visible, colour in zip(spots, keypoints.visible, COLOURS, strict=True):
        if visible:
            _fill_disc(canvas, int(spot[0]), int(spot[1]), colour)
    return canvas


def _fill_limb(canvas: Image, start: Floats, end: Floats, stick_width: int, colour: tuple[int, ...]) -> None:
    """An ellipse with its middle, length and angle cut to whole numbers, as the reference does."""
    along = start - end
    middle_x, middle_y = (int(value) for value in (start + end) / 2)
    half = int(np.hypot(*along) / 2)
    angle = np.deg2rad(int(np.degrees(np.arctan2(along[1], along[0]))))
    reach = max(half, stick_width) + 1
    rows, columns = _window(canvas, middle_x, middle_y, reach)
    y, x = np.mgrid[rows, columns]
    x, y = x - middle_x, y - middle_y
    lengthwise = (x * np.cos(angle) + y * np.sin(angle)) / (half + _POLYGON_EDGE)
    crosswise = (y * np.cos(angle) - x * np.sin(angle)) / (stick_width + _POLYGON_EDGE)
    canvas[rows, columns][lengthwise**2 + crosswise**2 <= 1] = colour


def _fill_disc(canvas: Image, x: int, y: int, colour: tuple[int, ...]) -> None:
    rows, columns = _window(canvas, x, y, JOINT_RADIUS)
    down, across = np.mgrid[rows, columns]
    canvas[rows, columns][(across - x) ** 2 + (down - y) ** 2 <= JOINT_RADIUS**2] = colour


def _window(canvas: Image, x: int, y: int, reach: int) -> tuple[slice, slice]:
    height, width = canvas.shape[:2]
    return slice(max(y - reach, 0), min(y + reach + 1, height)), slice(max(x - reach, 0), min(x + reach + 1, width))


def depth_map(depth: NDArray[np.float32]) -> Image:
    """(h, w) uint8 of a depth in metres, infinite where there is nothing: near is white, the background black.

    Grey falls with the inverse of the depth, as in the estimates (MiDaS) that depth ControlNets were trained on.
    """
    shown = np.isfinite(depth)
    image: Image = np.zeros(depth.shape, np.uint8)
    if not shown.any():
        return image
    inverse = 1.0 / depth[shown].astype(np.float64)
    near, far = float(inverse.max()), float(inverse.min())
    nearness = (inverse - far) / (near - far) if near > far else np.ones_like(inverse)
    image[shown] = np.rint(_FAINTEST + (255 - _FAINTEST) * nearness).astype(np.uint8)
    return image
