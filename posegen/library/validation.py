"""Which library poses can be drawn: rows of operators may hold what the skeleton or a prompt cannot take."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import structlog

from posegen.errors import InvalidPose
from posegen.library.rows import StoredPose
from posegen.poses.library import LibraryPose
from posegen.poses.specification import PoseSpecification

log = structlog.get_logger(__name__)

# Of a library pose that an operator added; the database refuses more, and rows from before are left out.
LONGEST_POSE_NAME, LONGEST_POSE_DESCRIPTION, LONGEST_POSE_TAGS = 200, 2_000, 10_000


def usable_poses(stored: Iterable[StoredPose]) -> tuple[dict[str, LibraryPose], dict[str, str]]:
    """Of the enabled poses those that can be drawn, and why the others cannot, by their slugs."""
    drawable, unusable = {}, {}
    for each in stored:
        if each.enabled:
            try:
                drawable[each.slug] = _library_pose(each)
            except InvalidPose as invalid:
                unusable[each.slug] = str(invalid)
            except Exception as defect:  # one pose must not take the whole library with it
                log.exception("library pose not read", pose=each.slug)
                unusable[each.slug] = f"{type(defect).__name__}: {defect}"
    return drawable, unusable


def _library_pose(stored: StoredPose) -> LibraryPose:
    if len(stored.name) > LONGEST_POSE_NAME or len(stored.description) > LONGEST_POSE_DESCRIPTION:
        raise InvalidPose(
            f"The name has {len(stored.name):,} characters and the description {len(stored.description):,}; "
            f"{LONGEST_POSE_NAME:,} and {LONGEST_POSE_DESCRIPTION:,} are the most."
        )
    if not all(isinstance(tag, str) for tag in stored.tags) or sum(map(len, stored.tags)) > LONGEST_POSE_TAGS:
        raise InvalidPose(f"The tags must be a list of texts of {LONGEST_POSE_TAGS:,} characters together.")
    return LibraryPose(
        slug=stored.slug,
        name=stored.name,
        category=stored.category,
        tags=tuple(stored.tags),
        description=stored.description,
        difficulty=stored.difficulty,
        specification=_specification(stored.specification),
    )


def _specification(document: Any) -> PoseSpecification:
    """The specification of a stored document. Raises `InvalidPose`."""
    if not isinstance(document, dict):
        return PoseSpecification.from_json(document)
    return _specification_of(json.dumps(document))


@lru_cache(maxsize=1024)
def _specification_of(document: str) -> PoseSpecification:
    # The whole library is read whenever requests are judged, and hardly ever changes: 64 poses take 5 ms.
    return PoseSpecification.from_json(json.loads(document))
