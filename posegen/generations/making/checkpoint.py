"""Checkpoints: what a worker writes as each pose or export is finished, one transaction each, behind the fence.

The fence is the generation's row, locked under the worker's token. A worker that lost its lease writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from posegen.accounts import credits, quota
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.error_codes import ErrorCode
from posegen.errors import ClaimSuperseded
from posegen.generations.calling import rows as calls
from posegen.generations.making import quality
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows import events, exports, generations, poses
from posegen.generations.rows.exports import FailedExport, MadeExport
from posegen.generations.rows.poses import MadePose, OpenPose
from posegen.graphemes import shorten
from posegen.objects import rows as objects
from posegen.storage.protocol import ObjectInfo
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.queue import Lease


@again_after_conflict
def begin_pose(database: Database, lease: Lease, pose: OpenPose) -> None:
    """Mark a pose as being made. Raises `LeaseLost`."""
    with database.transaction() as connection:
        _fence(connection, lease)
        if not poses.begin(connection, pose.id):
            raise GENERATIONS.queue.lost(lease)


@again_after_conflict
def count_backend_failure(database: Database, lease: Lease, pose: OpenPose) -> int:
    """Count a failed call of the backend for this pose; returns how many there are. Raises `LeaseLost`."""
    with database.transaction() as connection:
        _fence(connection, lease)
        return poses.count_backend_failure(connection, pose.id)


@again_after_conflict
def complete_pose(database: Database, lease: Lease, pose: OpenPose, made: MadePose, *, store: str) -> None:
    """Pose, objects, charge, quota, progress and event in one transaction. Raises `LeaseLost`."""
    with database.transaction() as connection:
        if not generations.count_pose(connection, lease, completed=1):
            raise GENERATIONS.queue.lost(lease)
        image = _register(connection, lease.id, store, made.image)
        original = image if made.call is None else _use_call(connection, lease, made.call)
        thumbnail = _register(connection, lease.id, store, made.thumbnail)
        if not poses.complete(
            connection, pose.id, made, image_object=image, original_object=original, thumbnail_object=thumbnail
        ):
            raise GENERATIONS.queue.lost(lease)
        for name, stored in made.more_thumbnails.items():
            poses.put_thumbnail(connection, pose.id, name, _register(connection, lease.id, store, stored))
        quality.put_passed(connection, pose.id, made.passed)
        reached(CommitPoint.BEFORE_CAPTURE)
        credits.capture(connection, lease.id, pose.id)
        reached(CommitPoint.AFTER_CAPTURE)
        events.record(
            connection,
            lease.id,
            "pose_completed",
            pose=str(pose.id),
            position=pose.position,
            credits=pose.price,
            render_ms=made.render_ms,
            token=lease.token,
        )
        reached(CommitPoint.BEFORE_COMMIT)
    reached(CommitPoint.AFTER_COMMIT)


@again_after_conflict
def fail_pose(database: Database, lease: Lease, pose: OpenPose, code: ErrorCode, detail: str) -> None:
    """Fail a pose and release its credits. Raises `LeaseLost`."""
    with database.transaction() as connection:
        if not generations.count_pose(connection, lease, failed=1):
            raise GENERATIONS.queue.lost(lease)
        if not poses.fail(connection, pose.id, code=code, detail=detail):
            raise GENERATIONS.queue.lost(lease)
        calls.end_open(connection, pose.id)
        reached(CommitPoint.BEFORE_RELEASE)
        credits.release(connection, lease.id, pose.id, f"pose failed: {code}")
        reached(CommitPoint.AFTER_RELEASE)
        events.record(
            connection,
            lease.id,
            "pose_failed",
            pose=str(pose.id),
            position=pose.position,
            error_code=code,
            error_detail=shorten(detail, 500),
            token=lease.token,
        )
        reached(CommitPoint.BEFORE_COMMIT)
    reached(CommitPoint.AFTER_COMMIT)


@again_after_conflict
def leave_out_map(database: Database, lease: Lease, pose: UUID, reason: str) -> None:
    """Note that a pose is made without a map, in this attempt and all later ones. Raises `LeaseLost`."""
    with database.transaction() as connection:
        _fence(connection, lease)
        poses.leave_out_map(connection, pose, f"control_kind: left out, the picture may show another pose: {reason}")


@again_after_conflict
def record_exports(
    database: Database,
    generation_id: UUID,
    lease: Lease | None,
    outcomes: Mapping[UUID, Sequence[MadeExport | FailedExport]],
    *,
    store: str,
) -> None:
    """Exports by their pose, in one transaction. Without a lease the generation must have ended (regeneration)."""
    with _fenced(database, generation_id, lease) as connection:
        for pose, made_or_failed in outcomes.items():
            _record_exports_of(connection, generation_id, lease, pose, made_or_failed, store)
        reached(CommitPoint.BEFORE_COMMIT)
    reached(CommitPoint.AFTER_COMMIT)


def _record_exports_of(
    connection: Connection,
    generation_id: UUID,
    lease: Lease | None,
    pose: UUID,
    outcomes: Sequence[MadeExport | FailedExport],
    store: str,
) -> None:
    for outcome in outcomes:
        if isinstance(outcome, MadeExport):
            object_id = _register(connection, generation_id, store, outcome.stored)
            if not exports.put_export(connection, pose, outcome, object_id=object_id):
                raise ClaimSuperseded(f"The images of pose {pose} are deleted: `posegen restore` first.")
        else:
            exports.put_failure(connection, pose, outcome)
    events.record(
        connection,
        generation_id,
        "exports_stored",
        pose=str(pose),
        formats=[outcome.format for outcome in outcomes if isinstance(outcome, MadeExport)],
        failed=[outcome.format for outcome in outcomes if isinstance(outcome, FailedExport)],
        token=None if lease is None else lease.token,
    )


@again_after_conflict
def replace_thumbnails(
    database: Database,
    generation_id: UUID,
    lease: Lease | None,
    pose: UUID,
    thumbnail: ObjectInfo,
    more_thumbnails: Mapping[str, ObjectInfo],
    *,
    store: str,
) -> None:
    """Replace the thumbnails of a completed pose; the reconcile pass deletes the old objects."""
    with _fenced(database, generation_id, lease) as connection:
        if not poses.replace_thumbnail(connection, pose, _register(connection, generation_id, store, thumbnail)):
            raise ClaimSuperseded(f"The images of pose {pose} are deleted: `posegen restore` first.")
        for name, stored in more_thumbnails.items():
            poses.put_thumbnail(connection, pose, name, _register(connection, generation_id, store, stored))
        poses.drop_thumbnails(connection, pose, but=list(more_thumbnails))
        events.record(
            connection,
            generation_id,
            "thumbnail_stored",
            pose=str(pose),
            token=None if lease is None else lease.token,
        )


@again_after_conflict
def put_contact_sheet(
    database: Database,
    generation_id: UUID,
    lease: Lease | None,
    sheet: ObjectInfo,
    *,
    shows: Sequence[UUID],
    store: str,
) -> bool:
    """Set the contact sheet of a generation. It is for operators, and counts against no quota.

    `shows`: the poses on it. False, and nothing is written, when one of them was hidden since the sheet was drawn.
    """
    with _fenced(database, generation_id, lease) as connection:
        if not poses.hold_shown(connection, shows):
            return False
        object_id, _ = objects.register(connection, store, sheet, generation_id=None)
        generations.put_contact_sheet(connection, generation_id, object_id)
        return True


@contextmanager
def _fenced(database: Database, generation_id: UUID, lease: Lease | None) -> Iterator[Connection]:
    with database.transaction() as connection:
        if lease is not None:
            _fence(connection, lease)
        else:
            progress = generations.progress_of(connection, generation_id, lock=True)
            if not progress.status.is_terminal:
                raise ClaimSuperseded(f"Generation {generation_id} is at work: try again when it has ended.")
        yield connection


def _fence(connection: Connection, lease: Lease) -> None:
    if GENERATIONS.queue.hold(connection, lease) is None:
        raise GENERATIONS.queue.lost(lease)


def _use_call(connection: Connection, lease: Lease, call: UUID) -> int:
    """End a call as used; returns its file, which takes the user's space from now on. Raises `LeaseLost`."""
    file = calls.use(connection, call)
    if file is None:
        raise GENERATIONS.queue.lost(lease)
    size = objects.give_to_generation(connection, file, lease.id)
    if size is not None:
        quota.settle(connection, lease.id, size)
    return file


def _register(connection: Connection, generation_id: UUID, store: str, stored: ObjectInfo) -> int:
    object_id, is_new = objects.register(connection, store, stored, generation_id=generation_id)
    if is_new:
        quota.settle(connection, generation_id, stored.size)
    return object_id
