"""What a request says beside its prompt, and what of it the chosen backend follows.

What it cannot follow is refused, or left out and named where the request allows that. It decides from values alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from posegen.backends.description import Description
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.graphemes import shorten
from posegen.poses.control_maps import MapKind

_LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Guidance:
    """How a request guides a model; the fields are the columns of `generation_requests`."""

    negative_prompt: str | None = None
    control_weight: float = 1.0
    control_kind: MapKind | None = None
    control_image: str | None = None
    control_start: float | None = None
    control_end: float | None = None


@dataclass(frozen=True)
class Unfollowed:
    """A value that a backend cannot follow. `instead`: what it is given when the request allows that."""

    column: str
    value: object
    why: str
    fix: str
    instead: Any = None


def followed(wanted: Guidance, backend: Description, *, allow_degraded: bool) -> tuple[Guidance, list[str]]:
    """What the backend is given, and what was left out, each as the name of its column and the reason.

    Raises `RequestRefused` (invalid_request), which names the backend, the value and the fix.
    """
    unfollowed = list(_unfollowed(wanted, backend))
    if unfollowed and not allow_degraded:
        first = unfollowed[0]
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"The backend {backend.name!r} cannot follow {first.column} {_shown(first.value)}: {first.why}. "
            f"{first.fix}, name a backend that can, or set allow_degraded to go without it.",
        )
    given = replace(wanted, **{each.column: each.instead for each in unfollowed})
    return given, [_note(backend, each) for each in unfollowed]


def _unfollowed(wanted: Guidance, backend: Description) -> Iterator[Unfollowed]:
    can = backend.capabilities
    if wanted.negative_prompt is not None and not can.negative_prompt:
        yield Unfollowed("negative_prompt", wanted.negative_prompt, "it takes none", "Leave it out")
    yield from _weight(wanted.control_weight, backend)
    kinds = " or ".join(backend.map_kinds)
    mannequin = "it is shown the mannequin in the pose, and no map"
    without_map = mannequin if backend.shows_mannequin else "it draws the pose itself, without a map"
    if wanted.control_kind is not None and wanted.control_kind not in backend.map_kinds:
        why = f"it takes {kinds}" if kinds else without_map
        yield Unfollowed("control_kind", wanted.control_kind, why, f"Use {kinds}" if kinds else "Leave it out")
        # A picture of another kind would be taken for one of the kind that the model knows.
        if wanted.control_image is not None and kinds:
            yield Unfollowed("control_image", wanted.control_image, f"it is no map of {kinds}", "Leave it out")
    if wanted.control_image is not None and not kinds:
        yield Unfollowed("control_image", wanted.control_image, without_map, "Leave it out")
    for column, value, default in (
        ("control_start", wanted.control_start, 0.0),
        ("control_end", wanted.control_end, 1.0),
    ):
        if value is not None and value != default and not can.control_span:
            yield Unfollowed(column, value, "it follows the pose in all its steps", "Leave it out")


def _weight(weight: float, backend: Description) -> Iterator[Unfollowed]:
    can = backend.capabilities
    if weight != 1 and not can.control_weight:
        why = "it takes the pose as a reference image, which has no weight" if can.references else "it has no weight"
        yield Unfollowed("control_weight", weight, why, "Use 1", instead=1.0)
    elif backend.largest_scale is not None and weight * backend.recommended_scale > backend.largest_scale:
        # Rounded down: a weight that was rounded up would be above the largest one again.
        largest = int(backend.largest_scale / backend.recommended_scale * 1000) / 1000
        yield Unfollowed("control_weight", weight, f"its largest is {largest:g}", f"Use {largest:g}", instead=largest)


def _note(backend: Description, each: Unfollowed) -> str:
    done = "left out" if each.instead is None else f"{each.instead:g} is used"
    return f"{each.column}: {_shown(each.value)} cannot be followed by {backend.name}, {each.why}; {done}"


def _shown(value: object) -> str:
    return repr(shorten(value, _LONGEST_SHOWN)) if isinstance(value, str) else f"{value:g}"
