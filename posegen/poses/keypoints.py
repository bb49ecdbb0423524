"""The 18 OpenPose keypoints (COCO order): projecting a posed skeleton to them, and their JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.poses.camera import Camera
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.skeleton import Floats

KEYPOINTS: tuple[str, ...] = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
# Cosine between where a landmark of the face points and the camera, below which the head hides it. Ears stand out, so
# that one still shows of them when the face has turned 30 degrees away.
_HIDDEN_BELOW = {"nose": -0.3, "eye": -0.3, "ear": -0.55}


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The 18 keypoints of one person, in the order of `KEYPOINTS`.

    `points`: (18, 2) float, fractions of the picture's width and height, from the upper left corner; `depth`: (18,)
    metres from the camera; `visible`: (18,) bool, false for what the head itself hides and for what is off the picture.
    """

    points: Floats
    depth: Floats
    visible: NDArray[np.bool_]


def keypoint_positions(skeleton: PosedSkeleton) -> Floats:
    """(18, 3) metres in the world; the neck is the middle of the shoulders, as OpenPose has it."""
    return np.array([_position(skeleton, name) for name in KEYPOINTS])


def _position(skeleton: PosedSkeleton, name: str) -> Floats:
    if name == "neck":
        middle: Floats = (skeleton.position("left_shoulder") + skeleton.position("right_shoulder")) / 2
        return middle
    side, _, landmark = name.rpartition("_")
    if landmark in _HIDDEN_BELOW:
        return skeleton.head_point(landmark, side or "left")
    return skeleton.position(name)


def project(skeleton: PosedSkeleton, camera: Camera) -> Keypoints:
    """The keypoints as the camera sees them. A limb behind another counts as visible: a ControlNet needs it."""
    positions = keypoint_positions(skeleton)
    points, depth = camera.project(positions)
    inside = ((points >= 0) & (points <= 1)).all(axis=1) & (depth > 0)
    hidden = [_behind_head(skeleton, camera, name, point) for name, point in zip(KEYPOINTS, positions, strict=True)]
    return Keypoints(points, depth, inside & ~np.array(hidden))


def _behind_head(skeleton: PosedSkeleton, camera: Camera, name: str, point: Floats) -> bool:
    """Whether the skull hides a landmark on its surface, which then faces away from the camera."""
    landmark = name.rpartition("_")[2]
    if landmark not in _HIDDEN_BELOW:
        return False
    outwards = point - skeleton.head_point("centre")
    towards = camera.position - point
    facing = float(outwards @ towards / np.linalg.norm(outwards) / np.linalg.norm(towards))
    return facing < _HIDDEN_BELOW[landmark]


def openpose_json(keypoints: Keypoints, width: int, height: int) -> dict[str, Any]:
    """OpenPose's JSON for one person: x, y in pixels and confidence 1, or three zeros for what is not visible."""
    flat: list[float] = []
    for (u, v), visible in zip(keypoints.points, keypoints.visible, strict=True):
        flat += [round(float(u) * width, 3), round(float(v) * height, 3), 1.0] if visible else [0.0, 0.0, 0.0]
    person = {
        "person_id": [-1],
        "pose_keypoints_2d": flat,
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [],
        "hand_right_keypoints_2d": [],
    }
    return {"version": 1.3, "canvas_width": width, "canvas_height": height, "people": [person]}
