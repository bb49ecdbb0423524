"""Poses, over HTTP: lists of pictures, marks, deletion, downloads, exports, recipes and archives."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain, islice
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool
from starlette.responses import RedirectResponse, Response, StreamingResponse

from posegen.access.callers import Caller, Scope
from posegen.errors import PoseUnknown
from posegen.generations import groups, service, single_poses
from posegen.generations.groups import Group
from posegen.generations.reading.archives import DEFAULT_FORMATS, GenerationArchive, plan_archive
from posegen.generations.reading.pages import Order, PoseFilter
from posegen.generations.single_poses import MOST_CHANGES, Outcome, PoseChange
from posegen.states import PoseStatus
from posegen.web.api.bodies import GenerationId, numbers_in
from posegen.web.api.showing import Pose, generation_of, pose_of, shown
from posegen.web.byte_ranges import wanted_range
from posegen.web.callers import TheCaller, user_shown, users_shown
from posegen.web.installation import Here, Installation
from posegen.web.openapi import ARCHIVE, FILE
from posegen.web.paging import CursorText, Limit, Page, place_of, write_cursor
from posegen.web.problems import Problem
from posegen.web.rooms import Room
from posegen.web.texts import Name, Words, listed

room = Room("poses")
PoseId = Annotated[UUID, Path(description="A pose.")]
_Fit = Literal["cover", "contain"]


class PoseUpdate(BaseModel):
    """What becomes of a pose. `hidden`: true hides its pictures, false restores them."""

    model_config = ConfigDict(extra="forbid")

    is_favourite: StrictBool | None = None
    hidden: StrictBool | None = None


class PoseUpdates(BaseModel):
    """The same for many poses."""

    model_config = ConfigDict(extra="forbid")

    poses: Annotated[list[UUID], Field(min_length=1, max_length=MOST_CHANGES)]
    is_favourite: StrictBool | None = None
    hidden: StrictBool | None = None


class PoseOutcome(BaseModel):
    """What became of one change."""

    pose_id: UUID
    outcome: Outcome


class Outcomes(BaseModel):
    """What became of each change, in their order."""

    data: list[PoseOutcome]


class NewExport(BaseModel):
    """An export that is asked for. `fit`: cover or contain; without it platform and figure decide."""

    model_config = ConfigDict(extra="forbid")

    format: Name
    fit: _Fit | None = None


class Recipe(BaseModel):
    """Everything that determines the picture.

    `recipe` and `recipe_hash`: null before it is made, and after its deletion.
    """

    pose_id: UUID
    recipe: dict[str, Any] | None
    recipe_hash: str | None


@room.get("/poses", Scope.GENERATIONS_READ)
def list_poses(
    caller: TheCaller,
    here: Here,
    user: Annotated[UUID | None, Query(description="Whose, where the caller reaches several users.")] = None,
    status: PoseStatus = PoseStatus.COMPLETED,
    category: Annotated[Name | None, Query()] = None,
    pose: Annotated[Name | None, Query(description="A library pose.")] = None,
    format: Annotated[Name | None, Query(description="Only those with an export for this platform.")] = None,
    project: Annotated[Name | None, Query()] = None,
    group: Annotated[Name | None, Query()] = None,
    favourite: bool | None = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    order: Order = Order.NEWEST,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[Pose]:
    """Poses by the time of their completion; those of another status by the time at which they were accepted."""
    which = PoseFilter(
        user_id=users_shown(caller, user),
        status=status,
        category=category,
        library_pose=pose,
        format=format,
        project_id=project,
        group_name=group,
        is_favourite=favourite,
        since=since,
        until=until,
        order=order,
    )
    found = service.list_poses(here.database, which, after=place_of(cursor), limit=limit)
    return Page(data=shown(here, found.data), next_cursor=None if found.next is None else write_cursor(*found.next))


@room.patch("/poses", Scope.GENERATIONS_WRITE)
def update_poses(body: PoseUpdates, caller: TheCaller, here: Here) -> Outcomes:
    """Mark, hide or restore up to 500 poses. Each that cannot be changed stays as it is, and says why."""
    changes = [PoseChange(each, is_favourite=body.is_favourite, hidden=body.hidden) for each in body.poses]
    outcomes = _change(here, caller, changes)
    return Outcomes(data=[PoseOutcome(pose_id=pose, outcome=outcome) for pose, outcome in outcomes.items()])


@room.get("/poses/{pose_id}", Scope.GENERATIONS_READ)
def pose(pose_id: PoseId, caller: TheCaller, here: Here) -> Pose:
    """One pose with its pictures."""
    return pose_of(here, caller, pose_id)


@room.patch("/poses/{pose_id}", Scope.GENERATIONS_WRITE)
def update_pose(pose_id: PoseId, body: PoseUpdate, caller: TheCaller, here: Here) -> Pose:
    """Mark, hide or restore one pose."""
    return _changed(here, caller, PoseChange(pose_id, is_favourite=body.is_favourite, hidden=body.hidden))


@room.delete("/poses/{pose_id}", Scope.GENERATIONS_WRITE)
def delete_pose(pose_id: PoseId, caller: TheCaller, here: Here) -> Pose:
    """Hide the pictures of a pose; the nightly clean-up deletes their files after the grace."""
    return _changed(here, caller, PoseChange(pose_id, hidden=True))


@room.post("/poses/{pose_id}/restore", Scope.GENERATIONS_WRITE)
def restore_pose(pose_id: PoseId, caller: TheCaller, here: Here) -> Pose:
    """Show hidden pictures again, where their files still exist."""
    return _changed(here, caller, PoseChange(pose_id, hidden=False))


@room.post("/poses/{pose_id}/exports", Scope.GENERATIONS_WRITE, status_code=201)
async def export_pose(pose_id: PoseId, body: NewExport, caller: TheCaller, here: Here) -> Pose:
    """Make the export of a pose for a platform, also one that was not asked for at first. It costs nothing."""
    owner = users_shown(caller, None)

    def export() -> Pose:
        made = single_poses.export_again(here.studio, pose_id, format=body.format, fit=body.fit, user_id=owner)
        return shown(here, [made])[0]

    return await here.heavy_work.run(export)


@room.file(
    "/poses/{pose_id}/download", Scope.FILES_READ, status_code=307, response_class=RedirectResponse, responses=FILE
)
def download(
    pose_id: PoseId,
    caller: TheCaller,
    here: Here,
    format: Annotated[Name | None, Query(description="A platform; without it the picture itself, a PNG.")] = None,
) -> Response:
    """Lead to a file, and count the download: what was downloaded does not expire unused."""
    file = single_poses.count_download(here.database, pose_id, format=format, user_id=users_shown(caller, None))
    url, _ = here.signed_urls.url(file.store, file.key)
    return RedirectResponse(here.absolute(url) or "", 307, headers={"cache-control": "no-store"})


@room.get("/poses/{pose_id}/recipe", Scope.FILES_READ)
def recipe(pose_id: PoseId, caller: TheCaller, here: Here) -> Recipe:
    """Everything that determines the picture: it can be made again from that."""
    found = single_poses.recipe_of(here.database, pose_id, user_id=users_shown(caller, None))
    return Recipe(pose_id=pose_id, recipe=found.recipe, recipe_hash=found.recipe_hash)


@room.file(
    "/generations/{generation_id}/archive", Scope.FILES_READ, response_class=StreamingResponse, responses=ARCHIVE
)
def archive(
    generation_id: GenerationId,
    request: Request,
    caller: TheCaller,
    here: Here,
    formats: Annotated[Words, Query(description="Platforms, or `image` for the pose itself.")] = None,
    poses: Annotated[Words, Query(description="Numbers of poses, from 1; all without any.")] = None,
) -> Response:
    """The pictures of a generation in one ZIP file, with its length and tag, also in parts."""
    generation_of(here, caller, generation_id)
    wanted = listed(formats) or DEFAULT_FORMATS
    return _zip(here, request, plan_archive(here.studio, generation_id, formats=wanted, poses=numbers_in(poses)))


class GroupProgress(BaseModel):
    """Where a group stands: sums over its generations."""

    user_id: UUID
    project_id: str
    group_name: str
    generations: int
    generations_ended: int
    poses_total: int
    poses_completed: int
    poses_failed: int
    credits_spent: int
    credits_held: int
    credits_released: int
    credits_refunded: int
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


_GROUP = "/projects/{project_id}/groups/{group_name}"
_User = Annotated[UUID | None, Query(description="Whose group, where the caller reaches several users.")]


@room.get(_GROUP, Scope.GENERATIONS_READ)
def group(project_id: Name, group_name: Name, caller: TheCaller, here: Here, user: _User = None) -> GroupProgress:
    """The progress and the cost of a group of generations."""
    named = Group(user_shown(caller, user), project_id, group_name)
    return GroupProgress(**vars(named), **vars(groups.progress(here.database, named)))


@room.post(f"{_GROUP}/cancel", Scope.GENERATIONS_WRITE)
def cancel_group(
    project_id: Name, group_name: Name, caller: TheCaller, here: Here, user: _User = None
) -> GroupProgress:
    """Cancel what is open of a group."""
    named = Group(user_shown(caller, user), project_id, group_name)
    groups.cancel(here.database, named, actor=caller.credential)
    return GroupProgress(**vars(named), **vars(groups.progress(here.database, named)))


@room.file(f"{_GROUP}/archive", Scope.FILES_READ, response_class=StreamingResponse, responses=ARCHIVE)
def group_archive(
    project_id: Name,
    group_name: Name,
    request: Request,
    caller: TheCaller,
    here: Here,
    user: _User = None,
    formats: Annotated[Words, Query(description="Platforms, or `image` for the pose itself.")] = None,
) -> Response:
    """The pictures of all generations of a group in one ZIP file."""
    named = Group(user_shown(caller, user), project_id, group_name)
    planned = groups.plan_archive(here.studio, named, formats=listed(formats) or DEFAULT_FORMATS)
    return _zip(here, request, planned)


def _change(here: Installation, caller: Caller, changes: list[PoseChange]) -> dict[UUID, Outcome]:
    return single_poses.update_poses(
        here.database,
        changes,
        actor=caller.credential,
        grace=timedelta(hours=here.settings.posegen_delete_grace_hours),
        user_id=users_shown(caller, None),
    )


def _changed(here: Installation, caller: Caller, change: PoseChange) -> Pose:
    """The pose after a change. Raises `PoseUnknown`, and `Problem` (409) when it cannot be changed so."""
    outcome = _change(here, caller, [change])[change.pose_id]
    if outcome is Outcome.UNKNOWN:
        raise PoseUnknown(change.pose_id)
    if outcome is not Outcome.DONE:
        raise Problem(
            409, outcome.value, f"Pose {change.pose_id} cannot be changed: {outcome.value.replace('_', ' ')}."
        )
    return pose_of(here, caller, change.pose_id)


def _zip(here: Installation, request: Request, planned: GenerationArchive) -> Response:
    """The archive, or the part of it that is asked for.

    Its pictures count as downloaded when it is read from its beginning.
    """
    tag = f'"{planned.tag}"'
    headers = {
        "etag": tag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{planned.folder}.zip"',
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    wanted = wanted_range(request.headers, tag, planned.size)
    if wanted is not None and not wanted:
        raise Problem(
            416, "no_such_range", "The archive has no such bytes.", headers={"content-range": f"bytes */{planned.size}"}
        )
    part = wanted if wanted is not None else range(planned.size)
    if wanted is not None:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{planned.size}"
    headers["content-length"] = str(len(part))
    rest = planned.read(part.start, part.stop)
    # A header and the beginning of a file: a store that does not respond is told of before the response has begun.
    beginning = list(islice(rest, 2))
    if part.start == 0:
        single_poses.count_downloads(here.database, planned.poses)
    return StreamingResponse(
        chain(beginning, rest), 200 if wanted is None else 206, headers=headers, media_type="application/zip"
    )
