"""Pose specifications: joint angles, orientation of the body, hands, face, props and camera, and their JSON form.

They hold numbers and names only. `skeleton` defines the frames and the meaning of the angles, `props` the anchors.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from posegen.errors import InvalidPose
from posegen.poses.hands import HAND_SHAPES
from posegen.poses.prop_kinds import PROPS
from posegen.poses.skeleton import AXIS_NAMES, JOINTS, Angles, Vector, check_angles

EXPRESSIONS = ("neutral", "smile", "laugh", "serious", "surprised", "effort", "eyes_closed")
LIFT_LIMITS = (0.0, 1.5)
CAMERA_PITCH_LIMITS = (-30.0, 60.0)
GAZE_LIMITS = (-35.0, 35.0)
FULL_TURN = (-180.0, 180.0)
MOST_PROPS = 32
_PROP_SIZE_LIMITS = (0.005, 10.0)
_PROP_OFFSET_LIMITS = (-3.0, 3.0)


@dataclass(frozen=True)
class PropUse:
    """A prop and where it is. `size`: metres, None for the kind's own; `turn`: yaw, pitch, roll in degrees."""

    kind: str
    at: str
    size: Vector | None = None
    turn: Vector = (0.0, 0.0, 0.0)
    offset: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.kind not in PROPS:
            raise InvalidPose(f"There is no prop {_short(self.kind)}; known: {', '.join(PROPS)}.")
        if self.at not in PROPS[self.kind].anchors:
            anchors = ", ".join(PROPS[self.kind].anchors)
            raise InvalidPose(f"A {self.kind} cannot be used at {_short(self.at)}; it can at: {anchors}.")
        if self.size is not None:
            object.__setattr__(self, "size", _triple(f"{self.kind} size", self.size, _PROP_SIZE_LIMITS))
        object.__setattr__(self, "turn", _triple(f"{self.kind} turn", self.turn, FULL_TURN))
        object.__setattr__(self, "offset", _triple(f"{self.kind} offset", self.offset, _PROP_OFFSET_LIMITS))

    def mirrored(self) -> PropUse:
        """The same prop on the other side."""
        x, y, z = self.offset
        yaw, pitch, roll = self.turn
        return PropUse(self.kind, _other_side(self.at), self.size, (-yaw, pitch, -roll), (-x, y, z))


@dataclass(frozen=True)
class PoseSpecification:
    """A pose. Angles are in degrees; absent values are 0 or those of the rest pose. Raises `InvalidPose`.

    `angles`: joint -> (flexion, abduction, rotation); `root`: yaw (to the figure's left), pitch (forward; -90 lies on
    the back), roll (to its left) of the whole body; `lift`: metres between the lowest part and the ground (a jump);
    `hands`: shapes of the left and the right hand; `gaze`: the eyes' yaw to the figure's left and pitch up;
    `camera`: yaw (90 sees the figure's left side) and pitch (down) of the view.
    """

    angles: Mapping[str, Angles] = field(default_factory=dict, hash=False)
    root: Vector = (0.0, 0.0, 0.0)
    lift: float = 0.0
    hands: tuple[str, str] = ("relaxed", "relaxed")
    props: tuple[PropUse, ...] = ()
    expression: str = "neutral"
    gaze: tuple[float, float] = (0.0, 0.0)
    camera: tuple[float, float] = (0.0, 6.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "angles", _clean_angles(self.angles))
        object.__setattr__(self, "root", _triple("root", self.root, FULL_TURN))
        object.__setattr__(self, "lift", _number("lift", self.lift, LIFT_LIMITS))
        object.__setattr__(self, "hands", _names("hand shape", self.hands, tuple(HAND_SHAPES), 2))
        object.__setattr__(self, "props", tuple(self.props))
        _names("expression", (self.expression,), EXPRESSIONS, 1)
        yaw, pitch = _length("gaze", self.gaze, 2)
        gaze = (_number("gaze yaw", yaw, GAZE_LIMITS), _number("gaze pitch", pitch, GAZE_LIMITS))
        object.__setattr__(self, "gaze", gaze)
        yaw, pitch = _length("camera", self.camera, 2)
        camera = (_number("camera yaw", yaw, FULL_TURN), _number("camera pitch", pitch, CAMERA_PITCH_LIMITS))
        object.__setattr__(self, "camera", camera)

    def mirrored(self) -> PoseSpecification:
        """The pose with left and right exchanged."""
        yaw, pitch, roll = self.root
        return PoseSpecification(
            angles={_other_side(joint): _mirrored_angles(joint, triple) for joint, triple in self.angles.items()},
            root=(-yaw, pitch, -roll),
            lift=self.lift,
            hands=(self.hands[1], self.hands[0]),
            props=tuple(use.mirrored() for use in self.props),
            expression=self.expression,
            gaze=(-self.gaze[0], self.gaze[1]),
            camera=(-self.camera[0], self.camera[1]),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, in a fixed order: equal specifications give equal text."""
        return {
            "angles": {joint: list(triple) for joint, triple in self.angles.items()},
            "root": list(self.root),
            "lift": self.lift,
            "hands": list(self.hands),
            "props": [_prop_json(use) for use in self.props],
            "expression": self.expression,
            "gaze": list(self.gaze),
            "camera": list(self.camera),
        }

    @classmethod
    def from_json(cls, document: Any) -> PoseSpecification:
        """The specification of a JSON object; all fields are optional. Raises `InvalidPose` with field and value."""
        known = _object("A pose specification", document, cls.__dataclass_fields__)
        if "props" in known:
            uses = _length("props", known["props"], None)
            if len(uses) > MOST_PROPS:
                raise InvalidPose(f"There are {len(uses):,} props; {MOST_PROPS} are the most.")
            known["props"] = tuple(_prop_from_json(use) for use in uses)
        return cls(**known)


def _short(value: Any) -> str:
    """A value of any size as a message shows it."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = 200
    shown.maxlist = shown.maxdict = shown.maxtuple = 10
    return shown.repr(value)


def _prop_json(use: PropUse) -> dict[str, Any]:
    size = None if use.size is None else list(use.size)
    return {"kind": use.kind, "at": use.at, "size": size, "turn": list(use.turn), "offset": list(use.offset)}


def _prop_from_json(document: Any) -> PropUse:
    known = _object("A prop", document, PropUse.__dataclass_fields__)
    for name in ("kind", "at"):
        if not isinstance(known.get(name), str):
            raise InvalidPose(f"A prop needs a text for {name!r}; this one has {_short(known.get(name))}.")
    return PropUse(**known)


def _object(what: str, document: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise InvalidPose(f"{what} must be a JSON object, not {_short(document)}.")
    for key in document:
        if key not in names:
            raise InvalidPose(f"{what} has no field {_short(key)}; known: {', '.join(names)}.")
    return dict(document)


def _clean_angles(angles: Any) -> dict[str, Angles]:
    if not isinstance(angles, Mapping):
        raise InvalidPose(f"Angles must map joints to (flexion, abduction, rotation), not be {_short(angles)}.")
    cleaned: dict[str, Angles] = {}
    for joint, triple in angles.items():
        flexion, abduction, rotation = _length(f"The angles of {joint}", triple, 3)
        values = zip(AXIS_NAMES, (flexion, abduction, rotation), strict=True)
        numbers = [_number(f"{joint} {axis}", value, FULL_TURN) for axis, value in values]
        cleaned[joint] = (numbers[0], numbers[1], numbers[2])
    check_angles(cleaned)
    return {joint: cleaned[joint] for joint in JOINTS if cleaned.get(joint, (0, 0, 0)) != (0, 0, 0)}


def _number(name: str, value: Any, limits: tuple[float, float]) -> float:
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidPose(f"{name} is {_short(value)}; it must be a number between {low:g} and {high:g}.")
    if not low <= value <= high:
        raise InvalidPose(f"{name} is {value:g}; it must lie between {low:g} and {high:g}.")
    return float(value) + 0.0  # turns -0.0 into 0.0, so that equal poses give equal JSON


def _triple(name: str, value: Any, limits: tuple[float, float]) -> Vector:
    x, y, z = _length(name, value, 3)
    return (_number(name, x, limits), _number(name, y, limits), _number(name, z, limits))


def _length(name: str, value: Any, length: int | None) -> list[Any]:
    if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
        wanted = "a list" if length is None else f"a list of {length} values"
        raise InvalidPose(f"{name} must be {wanted}, not {_short(value)}.")
    return list(value)


def _names(kind: str, values: Any, known: tuple[str, ...], length: int) -> tuple[Any, ...]:
    for value in _length(f"The {kind}s", values, length):
        if value not in known:
            raise InvalidPose(f"There is no {kind} {_short(value)}; known: {', '.join(known)}.")
    return tuple(values)


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    return "left_" + name.removeprefix("right_") if name.startswith("right_") else name


def _mirrored_angles(joint: str, angles: Angles) -> Angles:
    flexion, abduction, rotation = angles
    return angles if joint != _other_side(joint) else (flexion, -abduction, -rotation)
