"""Statements that take in pictures which were made elsewhere, as a generation that has ended and cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from posegen.accounts import credits
from posegen.database.connection import Connection
from posegen.database.rows import value
from posegen.generations.rows import events
from posegen.generations.rows.poses import pose_id
from posegen.objects import adopted_files
from posegen.storage.protocol import ObjectInfo
from posegen.studio import register_charged

LIBRARY_POSE = "adopted"
"""What adopted pictures have for a library pose: one that no request can name."""


@dataclass(frozen=True)
class AdoptedPose:
    """A picture and its thumbnail, both stored. `origin`: what it was called before; `made_at`: the file's time.

    `kept`: keys of files of the operator, which stay when the pose is deleted.
    """

    origin: str
    recipe_hash: str
    image: ObjectInfo
    thumbnail: ObjectInfo
    made_at: datetime
    kept: tuple[str, ...] = ()


def is_known(connection: Connection, generation_id: UUID) -> bool:
    """Whether there is a generation of this id."""
    return bool(value(connection, "select exists (select from generations where id = %s)", [generation_id]))


def adopt(
    connection: Connection,
    user: UUID,
    generation_id: UUID,
    poses: Sequence[AdoptedPose],
    *,
    store: str,
    expires: bool,
) -> None:
    """Write down a generation with its poses, objects, ledger entries and events, as if it had just been completed.

    Its pictures are as old as their files, and expire only with `expires`; the generation itself begins and ends now,
    so that reports of past days stay as they are. Raises `RequestRefused` (quota_exceeded) when the user has no room.
    """
    _library_pose(connection)
    connection.execute(
        "insert into generation_requests (id, user_id, project_id) values (%s, %s, 'adopted')", [generation_id, user]
    )
    for status in ("queued", "dispatched"):
        connection.execute("update generations set status = %s where id = %s", [status, generation_id])
        events.record(connection, generation_id, status)
    credits.hold(connection, user, generation_id, 0)
    connection.execute(
        """
        update generations set status = 'running', token = 1, lease_expires_at = now(), poses_total = %s,
            poses_completed = %s, queued_at = now(), started_at = now(), backend = 'adopted'
        where id = %s
        """,
        [len(poses), len(poses), generation_id],
    )
    events.record(connection, generation_id, "started", token=1)
    for position, pose in enumerate(poses):
        _adopt_pose(connection, user, generation_id, position, pose, store, expires=expires)
    connection.execute(
        "update generations set status = 'completed', lease_expires_at = null, finished_at = now() where id = %s",
        [generation_id],
    )
    events.record(connection, generation_id, "completed", error_code=None, poses_completed=len(poses), poses_failed=0)


def _adopt_pose(
    connection: Connection,
    user: UUID,
    generation_id: UUID,
    position: int,
    pose: AdoptedPose,
    store: str,
    *,
    expires: bool,
) -> None:
    made = pose_id(generation_id, position)
    image, thumbnail = (
        register_charged(connection, store, stored, user_id=user, generation_id=generation_id)
        for stored in (pose.image, pose.thumbnail)
    )
    connection.execute(
        """
        insert into generated_poses (id, generation_id, position, library_pose, variation, seed, prompt_used,
            control_weight, backend, price, status, recipe, recipe_hash, image_object, original_object,
            thumbnail_object, completed_at, expires)
        values (%s, %s, %s, %s, 0, 0, '', 1, 'adopted', 0, 'completed', %s, %s, %s, %s, %s, %s, %s)
        """,
        [made, generation_id, position, LIBRARY_POSE, Jsonb({"adopted": pose.origin}), pose.recipe_hash, image, image,
         thumbnail, pose.made_at, expires],
    )  # fmt: skip
    adopted_files.keep(connection, store, pose.kept, pose=made)
    credits.capture(connection, generation_id, made)
    events.record(connection, generation_id, "pose_completed", pose=str(made), position=position, credits=0, token=1)


def _library_pose(connection: Connection) -> None:
    connection.execute(
        "insert into pose_categories (slug, name, position) values (%s, 'Adopted', 9999) on conflict do nothing",
        [LIBRARY_POSE],
    )
    connection.execute(
        """
        insert into library_poses (slug, name, category, description, difficulty, specification, enabled)
        values (%(slug)s, 'Adopted', %(slug)s, 'a picture that was made elsewhere', 'easy', '{}', false)
        on conflict do nothing
        """,
        {"slug": LIBRARY_POSE},
    )
