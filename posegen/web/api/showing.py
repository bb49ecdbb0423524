"""How generations and poses are shown: those that the caller may see, with URLs that work from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from posegen.access.callers import Caller
from posegen.errors import GenerationUnknown
from posegen.generations import service, single_poses
from posegen.generations.reading.results import GenerationResult, PoseResult
from posegen.objects.service import PlacedFile
from posegen.web.callers import users_shown
from posegen.web.events.frames import PoseUrls
from posegen.web.installation import Installation

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


Shown = TypeVar("Shown", bound="DataclassInstance")


@dataclass(frozen=True)
class Pose(PoseResult):
    """A pose as its customer sees it. `urls_expire_at`: until when its URLs work; null for ever."""

    generation_seconds: float | None  # type: ignore[assignment]  # JSON has one kind of number
    urls_expire_at: datetime | None = None


def generation_of(here: Installation, caller: Caller, generation_id: UUID) -> GenerationResult:
    """A generation that the caller may see. Raises `GenerationUnknown` for any other."""
    (found,) = service.status(here.database, [generation_id])
    if not caller.may_see(found.user_id):
        raise GenerationUnknown(generation_id)
    return found


def pose_of(here: Installation, caller: Caller, pose_id: UUID) -> Pose:
    """A pose that the caller may see. Raises `PoseUnknown` for any other."""
    return shown(here, [single_poses.find_pose(here.database, pose_id, user_id=users_shown(caller, None))])[0]


def shown(here: Installation, poses: Sequence[PoseResult]) -> list[Pose]:
    """Poses with absolute URLs, signed ones where the store or the generation is private."""
    return [_shown(here, each.pose, each.urls_expire_at) for each in here.signed_urls.poses(poses)]


def with_urls(
    here: Installation,
    found: Sequence[Shown],
    *,
    owner: str,
    urls: Collection[str],
    placed: Callable[[list[Any]], list[PlacedFile]],
) -> list[Shown]:
    """Results with absolute URLs, signed ones for files in a store that is not public.

    Args:
        here: the installation.
        found: dataclasses of a home.
        owner: their field that names the row.
        urls: their fields with URLs.
        placed: from owners to where their files lie; asked only for results without a URL.
    """
    lacking = [getattr(each, owner) for each in found if any(getattr(each, field) is None for field in urls)]
    signed: dict[tuple[str, str], str] = {}
    for file in placed(lacking) if lacking else []:
        signed[file.owner, file.field] = here.signed_urls.url(file.store, file.key)[0]
    return [
        replace(
            each,
            **{
                field: here.absolute(getattr(each, field) or signed.get((str(getattr(each, owner)), field)))
                for field in urls
            },
        )
        for each in found
    ]


def urls_of(here: Installation, pose_ids: Collection[UUID]) -> Mapping[UUID, PoseUrls]:
    """The URLs of poses, as live events tell them."""
    poses = shown(here, service.poses_with_ids(here.database, pose_ids))
    return {pose.pose_id: PoseUrls(pose.image_url, pose.thumbnail_url, pose.urls_expire_at) for pose in poses}


def _shown(here: Installation, pose: PoseResult, urls_expire_at: datetime | None) -> Pose:
    absolute = replace(
        pose,
        image_url=here.absolute(pose.image_url),
        thumbnail_url=here.absolute(pose.thumbnail_url),
        original_url=here.absolute(pose.original_url),
        exports={name: here.absolute(url) or "" for name, url in pose.exports.items()},
        thumbnails={name: here.absolute(url) or "" for name, url in pose.thumbnails.items()},
    )
    values = {each.name: getattr(absolute, each.name) for each in fields(PoseResult)}
    seconds = absolute.generation_seconds
    values["generation_seconds"] = None if seconds is None else float(seconds)
    return Pose(**values, urls_expire_at=urls_expire_at)
