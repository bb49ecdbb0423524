"""Control maps: the skeleton drawing and the depth picture that ControlNets were trained on, and reading joints back.

The drawing follows `controlnet_aux` (open_pose/util.py, `draw_bodypose`, read 2026-11), pixel by pixel but for rims of
its limbs, and without antialiasing, so that a joint can be told by its colour alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.poses.keypoints import KEYPOINTS, Keypoints
from posegen.poses.skeleton import Floats

Image = NDArray[np.uint8]

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
_DISC = np.add.outer(_SQUARES, _SQUARES) <= JOINT_RADIUS**2
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


def decode_joints(image: Image) -> Floats:
    """(18, 2) pixels, the joints of an OpenPose drawing by the colours of their discs; NaN where there is none to see.

    A disc that others hide in part is found from what shows of it: the place where its visible pixels fit and where
    everything that is missing lies under discs that were drawn later.
    """
    red, green, blue = (image[..., channel].astype(np.int32) for channel in range(3))
    lit = np.argwhere((red == 255) | (green == 255) | (blue == 255))  # of the drawing, only discs are this bright
    packed = (red << 16 | green << 8 | blue)[lit[:, 0], lit[:, 1]]
    owner = np.full(image.shape[:2], -1, np.int8)
    spots = []
    for joint, (r, g, b) in enumerate(COLOURS):
        seen = lit[packed == (r << 16 | g << 8 | b)]
        owner[seen[:, 0], seen[:, 1]] = joint
        spots.append(seen)
    padded = np.pad(owner, 2 * JOINT_RADIUS, constant_values=len(COLOURS))  # pixels off the picture count for no joint
    return np.array([_decode_joint(padded, joint, seen + 2 * JOINT_RADIUS) for joint, seen in enumerate(spots)])


def _decode_joint(owner: NDArray[np.int8], joint: int, seen: NDArray[np.intp]) -> Floats:
    if len(seen) == 0:
        return np.full(2, np.nan)
    # A centre lies within a radius of every visible pixel.
    lowest, highest = seen.max(axis=0) - JOINT_RADIUS, seen.min(axis=0) + JOINT_RADIUS
    centres = [(y, x) for y in range(lowest[0], highest[0] + 1) for x in range(lowest[1], highest[1] + 1)]
    if not centres:
        centres = [tuple(np.rint(seen.mean(axis=0)).astype(int))]
    misfits = np.array([_misfit(owner, joint, y, x, len(seen)) for y, x in centres])
    row, column = np.array(centres)[misfits == misfits.min()].mean(axis=0) - 2 * JOINT_RADIUS
    return np.array([column + 0.5, row + 0.5])


def _misfit(owner: NDArray[np.int8], joint: int, y: int, x: int, seen: int) -> int:
    """How many pixels speak against a disc here: its own outside of it, and bare ones inside of it."""
    under = owner[y - JOINT_RADIUS : y + JOINT_RADIUS + 1, x - JOINT_RADIUS : x + JOINT_RADIUS + 1][_DISC]
    return int(seen - (under == joint).sum() + (under < joint).sum())


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
