"""What customers do with single pictures, for every door: find, mark, hide, download, export again.

Like `service.py`: its functions take ids and plain values, and open the transactions. `user_id` restricts each of them
to the pictures of one user: those of others do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from posegen.database.connection import Connection, Database
from posegen.database.rows import many, one, value
from posegen.errors import ExportFailed, PoseUnknown
from posegen.generations.asking.regeneration import regenerate
from posegen.generations.reading import results
from posegen.generations.reading.results import PoseResult
from posegen.generations.rows import poses, recipes
from posegen.generations.rows.recipes import StoredRecipe
from posegen.images.framing import Fit
from posegen.states import PoseStatus
from posegen.studio import Studio

MOST_CHANGES = 500


@dataclass(frozen=True)
class PoseChange:
    """What becomes of a picture. `hidden`: true to hide it, false to restore it; None changes nothing."""

    pose_id: UUID
    is_favourite: bool | None = None
    hidden: bool | None = None


class Outcome(StrEnum):
    """What became of a change."""

    DONE = "done"
    UNKNOWN = "unknown"
    NOT_COMPLETED = "not_completed"
    NOT_ENDED = "not_ended"
    HIDDEN = "hidden"
    DELETED = "deleted"


@dataclass(frozen=True)
class DownloadedFile:
    """The stored file of a counted download. `downloads`: of this pose so far."""

    store: str
    key: str
    downloads: int


def find_pose(database: Database, pose_id: UUID, *, user_id: UUID | None = None) -> PoseResult:
    """A pose with its URLs. Raises `PoseUnknown`."""
    with database.reading() as connection:
        return _found(connection, pose_id, user_id)


def recipe_of(database: Database, pose_id: UUID, *, user_id: UUID | None = None) -> StoredRecipe:
    """Everything that determines the picture of a pose; without a recipe before it is made and after its deletion.

    Raises `PoseUnknown`.
    """
    with database.reading() as connection:
        _found(connection, pose_id, user_id)
        stored = recipes.stored_recipe(connection, pose_id)
    assert stored is not None, "the pose was found"
    return stored


def update_poses(
    database: Database, changes: Sequence[PoseChange], *, actor: str, grace: timedelta, user_id: UUID | None = None
) -> dict[UUID, Outcome]:
    """Mark, hide and restore many pictures at once; each that cannot be changed stays as it is.

    Args:
        database: where the pictures are.
        changes: 500 at most; of several for one picture the last one counts.
        actor: who asked for it, for the audit trail.
        grace: how long hidden pictures can be restored.
        user_id: whose pictures may be changed; None for any.

    Returns:
        The outcome by the id of the pose, in the order of the changes.
    """
    if len(changes) > MOST_CHANGES:
        raise ValueError(f"At most {MOST_CHANGES} poses are changed at once, not {len(changes)}")
    wanted = {change.pose_id: change for change in changes}
    with database.transaction() as connection:
        states = {each.id: each for each in many(connection, _State, _STATES, {"ids": list(wanted), "user": user_id})}
        outcomes = {pose: _outcome(states.get(pose), change) for pose, change in wanted.items()}
        done = [change for pose, change in wanted.items() if outcomes[pose] is Outcome.DONE]
        poses.restore(connection, [each.pose_id for each in done if each.hidden is False], actor=actor)
        for mark in (True, False):
            chosen = sorted(each.pose_id for each in done if each.is_favourite is mark)
            connection.execute("select set_favourite(id, %s) from unnest(%s::uuid[]) id", [mark, chosen])
        poses.hide(connection, [each.pose_id for each in done if each.hidden], actor=actor, grace=grace)
    return outcomes


def count_download(
    database: Database, pose_id: UUID, *, format: str | None = None, user_id: UUID | None = None
) -> DownloadedFile:
    """Count a download of a picture, or of its export for a platform; returns the file.

    Raises `PoseUnknown` when there is no such picture, or it lacks the export.
    """
    with database.transaction() as connection:
        _found(connection, pose_id, user_id)
        downloads = value(connection, "select record_download(%s, %s)", [pose_id, format])
        if downloads is None:
            raise PoseUnknown(pose_id)
        statement = """
            select o.store, o.key, p.download_count as downloads from generated_poses p
            left join exports e on e.pose_id = p.id and e.format = %(format)s
            join objects o on o.id = case when %(format)s::text is null then p.image_object else e.object_id end
            where p.id = %(id)s
        """
        file = one(connection, DownloadedFile, statement, {"format": format, "id": pose_id})
        if file is None:
            raise PoseUnknown(pose_id)
    return file


def count_downloads(database: Database, pose_ids: Sequence[UUID]) -> None:
    """Count one download of each of these pictures, as for an archive of them."""
    with database.transaction() as connection:
        connection.execute("select record_download(id) from unnest(%s::uuid[]) id", [sorted(pose_ids)])


def export_again(
    studio: Studio, pose_id: UUID, *, format: str, fit: Fit | None = None, user_id: UUID | None = None
) -> PoseResult:
    """Derive one export of a picture anew, in any format; returns the pose with its URLs.

    Args:
        studio: database and stores.
        pose_id: a completed pose of an ended generation.
        format: the platform.
        fit: how the picture lies in it; None as the request said, or as platform and figure decide.
        user_id: whose pose it has to be; None for any.

    Raises:
        PoseUnknown: there is no such picture.
        ClaimSuperseded: its generation has not ended.
        UnknownName: there is no such platform.
        RequestRefused: the file does not fit into the user's space (quota_exceeded).
        ExportFailed: the export cannot be made; an earlier one stays.
    """
    with studio.database.transaction() as connection:
        pose = _found(connection, pose_id, user_id)
    if pose.status != PoseStatus.COMPLETED or pose.delete_after is not None:
        raise PoseUnknown(pose_id)
    made = regenerate(studio, pose.generation_id, formats=[format], numbers=[pose.number], fit=fit)
    if made.failed:
        raise ExportFailed(f"Pose {pose_id} cannot be made as {format}; the table exports says why.")
    return find_pose(studio.database, pose_id)


_STATES = """
    select p.id, p.status, g.finished_at is not null as has_ended, p.delete_after, p.images_deleted_at
    from generated_poses p join generations g on g.id = p.generation_id
    where p.id = any(%(ids)s) and (%(user)s::uuid is null or p.user_id = %(user)s) order by p.id for update of p
"""


@dataclass(frozen=True)
class _State:
    id: UUID
    status: str
    has_ended: bool
    delete_after: datetime | None
    images_deleted_at: datetime | None


def _outcome(state: _State | None, change: PoseChange) -> Outcome:
    if state is None:
        return Outcome.UNKNOWN
    if state.status != PoseStatus.COMPLETED:
        return Outcome.NOT_COMPLETED
    if state.images_deleted_at is not None:
        return Outcome.DELETED
    if change.hidden and not state.has_ended:
        return Outcome.NOT_ENDED
    if change.is_favourite is not None and state.delete_after is not None and change.hidden is not False:
        return Outcome.HIDDEN
    return Outcome.DONE


def _found(connection: Connection, pose_id: UUID, user_id: UUID | None) -> PoseResult:
    found: Mapping[UUID, PoseResult] = {each.pose_id: each for each in results.poses_with_ids(connection, [pose_id])}
    if pose_id not in found or user_id not in {None, found[pose_id].user_id}:
        raise PoseUnknown(pose_id)
    return found[pose_id]
