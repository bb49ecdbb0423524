"""Moves surfaces modelled at rest with a posed skeleton: the torso bends softly, limbs curve around their joints.

At rest the pelvis joint is the origin and every bone frame equals the world's axes (see `posegen.poses.skeleton`).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from posegen.figure.body.physique import Physique
from posegen.figure.geometry.curves import smooth_step
from posegen.figure.geometry.sweeps import Sweep, lead, orthonormal
from posegen.figure.geometry.vectors import Floats, transformed
from posegen.poses.hands import PALM_LENGTH
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.skeleton import ANKLE_HEIGHT, JOINT_INDEX, PARENTS, bone_offsets

# Joints of the spine from below, and the distance, metres at 1.75 m, over which the bone above them takes over.
_SPINE = (("spine", 0.07), ("chest", 0.08), ("neck", 0.035), ("head", 0.03))


class Rig:
    """A posed skeleton that carries surfaces. `scale`: factor on lengths given at 1.75 m."""

    def __init__(self, skeleton: PosedSkeleton, body: Physique) -> None:
        self.skeleton = skeleton
        self.body = body
        self.scale = body.build.scale
        rest = np.zeros_like(skeleton.positions)
        offsets = bone_offsets(body.build)
        for joint, parent in PARENTS.items():
            rest[JOINT_INDEX[joint]] = rest[JOINT_INDEX[parent]] + offsets[JOINT_INDEX[joint]]
        self._rest = rest.astype(np.float32)

    def at_rest(self, joint: str) -> Floats:
        """(3,) position of a joint at rest, metres from the pelvis joint."""
        place: Floats = self._rest[JOINT_INDEX[joint]]
        return place

    def position(self, joint: str) -> Floats:
        """(3,) position of a joint in the world, metres."""
        return self.skeleton.position(joint).astype(np.float32)

    def orientation(self, joint: str) -> Floats:
        """(3, 3) the axes of a joint's frame in the world, as columns."""
        return self.skeleton.orientation(joint).astype(np.float32)

    def rigid(self, joint: str, local: ArrayLike) -> Floats:
        """World positions of points (..., 3) that are given in a joint's frame."""
        return transformed(np.asarray(local, dtype=np.float32), self.orientation(joint), self.position(joint))

    def torso(self, rest: Floats) -> Floats:
        """Posed positions of points (..., 3) on or around torso and neck at rest. Bends are spread out."""
        posed = self._carried("pelvis", rest)
        for joint, reach in _SPINE:
            height = self.at_rest(joint)[1]
            weight = smooth_step(height - reach * self.scale, height + reach * self.scale, rest[..., 1])
            lead(posed, self._carried(joint, rest), weight)
        self._shrug(rest, posed)
        return posed

    def _shrug(self, rest: Floats, posed: Floats) -> None:
        shoulder = self.at_rest("left_shoulder")
        level = smooth_step(shoulder[1] - 0.16 * self.scale, shoulder[1] - 0.02 * self.scale, rest[..., 1])
        for side, sign in (("left", 1), ("right", -1)):
            outwards = smooth_step(0.25 * shoulder[0], 0.95 * shoulder[0], sign * rest[..., 0])
            lead(posed, self._carried(f"{side}_clavicle", rest), level * outwards)

    def _carried(self, joint: str, rest: Floats) -> Floats:
        orientation = self.orientation(joint)
        at_rest = self.at_rest(joint)
        return transformed(rest, orientation, self.position(joint) - (orientation * at_rest).sum(axis=1))

    def arm(self, side: str, stations: Floats) -> Sweep:
        """Rings of an arm: station 0 is the shoulder, 1 the elbow, 2 the wrist, 3 the knuckles."""
        joints = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist")]
        lengths = self._lengths(joints, PALM_LENGTH * self.scale)
        return self._sweep(joints, lengths, stations, (0.0, 0.045 * self.scale, 0.030 * self.scale), joints[0])

    def leg(self, side: str, stations: Floats) -> Sweep:
        """Rings of a leg: station 0 is the hip, 1 the knee, 2 the ankle, 3 the sole."""
        joints = [f"{side}_{joint}" for joint in ("hip", "knee", "ankle")]
        lengths = self._lengths(joints, ANKLE_HEIGHT * self.scale)
        return self._sweep(joints, lengths, stations, tuple(z * self.scale for z in (0.075, 0.06, 0.03)), "pelvis")

    def _lengths(self, joints: list[str], last: float) -> list[float]:
        places = [self.at_rest(joint) for joint in joints]
        between = [float(np.linalg.norm(b - a)) for a, b in pairwise(places)]
        return [*between, last]

    def _sweep(
        self, joints: list[str], lengths: list[float], stations: Floats, zones: tuple[float, ...], root: str
    ) -> Sweep:
        """Sweeps rings along a limb. Within `zones` metres of each joint, frames turn and the centre line curves."""
        edges = np.concatenate([[0.0], np.cumsum(lengths)]).astype(np.float32)
        along = np.where(stations < 0, stations * edges[1], np.interp(stations, np.arange(len(edges)), edges)).astype(
            np.float32
        )
        frame = self.orientation(root)
        frames = np.repeat(frame[None], len(along), axis=0)
        centres = self.position(joints[0]) - along[:, None] * frame[:, 1]
        for joint, edge, zone in zip(joints, edges, zones, strict=False):
            after = self.orientation(joint)
            at = self.position(joint)
            from_joint = along - edge
            weight = (from_joint > 0).astype(np.float32) if zone == 0 else smooth_step(-zone, zone, from_joint)
            beyond = at - from_joint[:, None] * after[:, 1]
            if zone > 0:
                u = np.clip((from_joint + zone) / (2 * zone), 0, 1)[:, None]
                start, end = at + zone * frame[:, 1], at - zone * after[:, 1]
                rounded = (1 - u) ** 2 * start + 2 * u * (1 - u) * at + u * u * end
                inside = np.abs(from_joint)[:, None] < zone
                beyond = np.where(inside, rounded, beyond)
                reached = from_joint >= -zone
            else:
                reached = from_joint >= 0
            centres = np.where(reached[:, None], beyond, centres)
            frames = frames + weight[:, None, None] * (after - frame)
            frame = after
        rest = np.repeat(self.at_rest(joints[0])[None], len(along), axis=0)
        rest[:, 1] -= along
        return Sweep(centres.astype(np.float32), orthonormal(frames), rest.astype(np.float32))
