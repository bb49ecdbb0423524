"""How generations and poses are shown: those that the caller may see, with URLs that work from anywhere."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from posegen.access.callers import Caller
from posegen.errors import GenerationUnknown, PoseUnknown
from posegen.generations import service
from posegen.generations.reading.results import GenerationResult, PoseResult
from posegen.web.installation import Installation


def generation_of(here: Installation, caller: Caller, generation_id: UUID) -> GenerationResult:
    """A generation that the caller may see. Raises `GenerationUnknown` for any other."""
    (found,) = service.status(here.database, [generation_id])
    if not caller.may_see(found.user_id):
        raise GenerationUnknown(generation_id)
    return found


def pose_of(here: Installation, caller: Caller, pose_id: UUID) -> PoseResult:
    """A pose that the caller may see, with absolute URLs. Raises `PoseUnknown` for any other."""
    found = service.pose(here.database, pose_id)
    if not caller.may_see(found.user_id):
        raise PoseUnknown(pose_id)
    return shown(here, [found])[0]


def shown(here: Installation, poses: list[PoseResult]) -> list[PoseResult]:
    """Poses with absolute URLs, signed ones where the store or the generation is private."""
    return [
        replace(
            pose,
            image_url=here.absolute(pose.image_url),
            thumbnail_url=here.absolute(pose.thumbnail_url),
            original_url=here.absolute(pose.original_url),
            exports={name: here.absolute(url) or "" for name, url in pose.exports.items()},
            thumbnails={name: here.absolute(url) or "" for name, url in pose.thumbnails.items()},
        )
        for pose in poses
    ]
