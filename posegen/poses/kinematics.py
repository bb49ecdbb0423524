"""From angles to a posed skeleton: forward kinematics, standing it on the ground, and placing its props."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posegen.poses.body import lowest_point
from posegen.poses.contacts import place_hands, settle
from posegen.poses.posed_skeleton import PosedSkeleton
from posegen.poses.props import place_props
from posegen.poses.skeleton import (
    DEFAULT_BUILD,
    JOINT_INDEX,
    JOINTS,
    PARENTS,
    Build,
    bone_offsets,
    heading,
    joint_rotation,
)
from posegen.poses.specification import PoseSpecification


def solve(specification: PoseSpecification, build: Build = DEFAULT_BUILD) -> PosedSkeleton:
    """Places the joints, puts the lowest support on the ground (`y = 0`, plus the lift), and places the props.

    The pelvis is over x = z = 0. On the average build the joints have exactly the specification's angles; on others
    they may differ by a few degrees, so that hands and feet still touch what they touch there (see `contacts`). The
    same input gives the same bits.
    """
    skeleton = _grounded(_placed(specification, DEFAULT_BUILD), specification.lift)
    if build != DEFAULT_BUILD:
        own = place_hands(_placed(specification, build), skeleton)
        skeleton = _grounded(settle(own, skeleton), specification.lift)
    return replace(skeleton, props=place_props(specification, skeleton))


def _placed(specification: PoseSpecification, build: Build) -> PosedSkeleton:
    offsets = bone_offsets(build)
    positions = np.zeros((len(JOINTS), 3))
    orientations = np.empty((len(JOINTS), 3, 3))
    orientations[0] = heading(*specification.root)
    for joint, parent in PARENTS.items():
        index, above = JOINT_INDEX[joint], JOINT_INDEX[parent]
        positions[index] = positions[above] + orientations[above] @ offsets[index]
        angles = specification.angles.get(joint)
        local = np.eye(3) if angles is None else joint_rotation(joint, angles)
        orientations[index] = orientations[above] @ local
    return PosedSkeleton(build, positions, orientations, specification.hands)


def _grounded(skeleton: PosedSkeleton, lift: float) -> PosedSkeleton:
    rise = lift * skeleton.build.scale - lowest_point(skeleton)
    return replace(skeleton, positions=skeleton.positions + np.array([0.0, rise, 0.0]))
