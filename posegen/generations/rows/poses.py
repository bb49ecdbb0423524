"""Statements about generated poses: one row is one image within a generation.

Functions take an open transaction and decide nothing. What foreign backends read of poses is in `reading.results`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.rows import changed, column, many, one, value
from posegen.database.texts import storable
from posegen.errors import PoseNumberUnknown
from posegen.images.measures import Passed
from posegen.poses.control_maps import MapKind
from posegen.storage.protocol import ObjectInfo

T = TypeVar("T")


@dataclass(frozen=True)
class PlannedPose:
    """One image that intake decided on. `price`: credits; `seed`: 0 to 2**32 - 1.

    `degraded`: what was left out or cut, each as the name of its column and the reason.
    """

    position: int
    library_pose: str
    variation: int
    seed: int
    prompt_used: str
    control_weight: float
    backend: str
    price: int
    negative_prompt: str | None = None
    control_kind: MapKind | None = None
    control_start: float | None = None
    control_end: float | None = None
    degraded: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OpenPose:
    """A pose that still has to be made, with everything that its recipe needs."""

    id: UUID
    position: int
    library_pose: str
    specification: dict[str, Any]
    avatar: dict[str, Any]
    prompt_used: str
    seed: int
    control_weight: float
    backend: str
    price: int
    asked_at: datetime
    negative_prompt: str | None = None
    control_kind: MapKind | None = None
    control_start: float | None = None
    control_end: float | None = None
    private: bool = False


@dataclass(frozen=True)
class FinishedPose:
    """A completed pose and where its files lie. `keypoints`: (18, 2) fractions of the side, or None."""

    id: UUID
    position: int
    library_pose: str
    variation: int
    seed: int
    keypoints: list[list[float]] | None
    image_object: int
    image_store: str
    image_key: str
    image_sha256: str
    image_size: int
    thumbnail_store: str
    thumbnail_key: str
    thumbnail_sha256: str
    thumbnail_size: int
    render_ms: int
    generation_ms: int
    backend: str
    backend_version: str
    recipe: dict[str, Any]
    recipe_hash: str
    asked_at: datetime
    private: bool = False

    @property
    def number(self) -> int:
        """Within its generation, from 1."""
        return self.position + 1

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as its recipe has them; None for an adopted picture, which may have any."""
        width, height = self.recipe.get("width"), self.recipe.get("height")
        return None if width is None or height is None else (width, height)


@dataclass(frozen=True)
class MadePose:
    """A pose whose files are stored and verified. Durations in milliseconds.

    `call`: the call of a hosted backend that made it, whose file is its original; None for a drawn one. `notes`: what
    cannot be told of it, for `degraded`.
    """

    recipe: dict[str, object]
    recipe_hash: str
    keypoints: list[list[float]] | None
    image: ObjectInfo
    thumbnail: ObjectInfo
    passed: Passed
    render_ms: int
    store_ms: int
    generation_ms: int
    more_thumbnails: Mapping[str, ObjectInfo] = field(default_factory=dict)
    call: UUID | None = None
    notes: Sequence[str] = ()


class PoseError(NamedTuple):
    """Why a pose was not made: an error code, and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True)
class HiddenPose:
    """A pose whose images are hidden. `images_deleted_at`: when they were deleted for good, or None."""

    id: UUID
    position: int
    images_deleted_at: datetime | None


def pose_id(generation_id: UUID, position: int) -> UUID:
    """The id of a pose: the same for every attempt at it."""
    return uuid5(generation_id, str(position))


def plan_poses(connection: Connection, generation_id: UUID, planned: Sequence[PlannedPose]) -> None:
    """Insert the poses that intake planned."""
    statement = """
        insert into generated_poses (id, generation_id, position, library_pose, variation, seed, prompt_used,
            control_weight, backend, price, negative_prompt, control_kind, control_start, control_end, degraded)
        values (%(id)s, %(generation_id)s, %(position)s, %(library_pose)s, %(variation)s, %(seed)s, %(prompt_used)s,
            %(control_weight)s, %(backend)s, %(price)s, %(negative_prompt)s, %(control_kind)s, %(control_start)s,
            %(control_end)s, %(degraded)s)
    """
    named = {"generation_id": generation_id}
    rows = [{**vars(pose), **named, "id": pose_id(generation_id, pose.position)} for pose in planned]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def open_poses(connection: Connection, generation_id: UUID) -> list[OpenPose]:
    """The poses that still have to be made, by position."""
    statement = """
        select p.id, p.position, p.library_pose, l.specification, root.avatar, p.prompt_used, p.seed, p.control_weight,
               p.backend, p.price, r.created_at as asked_at, p.negative_prompt, p.control_kind, p.control_start,
               p.control_end, g.private
        from generated_poses p
        join generations g on g.id = p.generation_id
        join library_poses l on l.slug = p.library_pose
        join generation_requests r on r.id = p.generation_id
        join generation_requests root on root.id = root_request(%(id)s)
        where p.generation_id = %(id)s and p.status in ('pending', 'running') order by p.position
    """
    return many(connection, OpenPose, statement, {"id": generation_id})


def finished_poses(connection: Connection, generation_id: UUID) -> list[FinishedPose]:
    """The completed poses whose images are shown, by position."""
    statement = """
        select p.id, p.position, p.library_pose, p.variation, p.seed, p.keypoints, p.image_object,
               image.store as image_store, image.key as image_key, image.sha256 as image_sha256,
               image.size as image_size, thumbnail.store as thumbnail_store, thumbnail.key as thumbnail_key,
               thumbnail.sha256 as thumbnail_sha256,
               thumbnail.size as thumbnail_size, p.render_ms, p.generation_ms,
               p.recipe ->> 'backend' as backend, p.recipe ->> 'backend_version' as backend_version, p.recipe,
               p.recipe_hash, r.created_at as asked_at, g.private
        from generated_poses p
        join generations g on g.id = p.generation_id
        join generation_requests r on r.id = p.generation_id
        join objects image on image.id = p.image_object
        join objects thumbnail on thumbnail.id = p.thumbnail_object
        where p.generation_id = %s and p.status = 'completed' and p.delete_after is null order by p.position
    """
    return many(connection, FinishedPose, statement, [generation_id])


def hold_shown(connection: Connection, poses: Sequence[UUID]) -> bool:
    """Lock these poses until the transaction ends, so that none can be hidden; False when one is hidden already."""
    statement = "select id from generated_poses where id = any(%s) and delete_after is null order by id for share"
    return set(column(connection, statement, [list(poses)])) == set(poses)


def begin(connection: Connection, pose: UUID) -> bool:
    """Mark a pose as being made; False when it has ended already."""
    statement = """
        update generated_poses set status = 'running', attempts = attempts + 1
        where id = %s and status in ('pending', 'running')
    """
    return changed(connection, statement, [pose]) == 1


def count_backend_failure(connection: Connection, pose: UUID) -> int:
    """Count a call that the backend did not respond; returns how many there were."""
    counted = value(
        connection,
        "update generated_poses set backend_failures = backend_failures + 1 where id = %s returning backend_failures",
        [pose],
    )
    return int(counted or 0)


def complete(
    connection: Connection,
    pose: UUID,
    made: MadePose,
    *,
    image_object: int,
    original_object: int,
    thumbnail_object: int,
) -> bool:
    """Complete a pose with its registered objects; False when it has ended already."""
    statement = """
        update generated_poses set status = 'completed', completed_at = now(), recipe = %(recipe)s,
            recipe_hash = %(recipe_hash)s, keypoints = %(keypoints)s, image_object = %(image)s,
            original_object = %(original)s, thumbnail_object = %(thumbnail)s, render_ms = %(render_ms)s,
            store_ms = %(store_ms)s, generation_ms = %(generation_ms)s, error_code = null, error_detail = null,
            degraded = degraded || %(notes)s::text[]
        where id = %(id)s and status in ('pending', 'running')
    """
    values = {
        "id": pose,
        "recipe": Jsonb(made.recipe),
        "recipe_hash": made.recipe_hash,
        "keypoints": None if made.keypoints is None else Jsonb(made.keypoints),
        "image": image_object,
        "original": original_object,
        "thumbnail": thumbnail_object,
        "render_ms": made.render_ms,
        "store_ms": made.store_ms,
        "generation_ms": made.generation_ms,
        "notes": [storable(note) for note in made.notes],
    }
    return changed(connection, statement, values) == 1


def fail(connection: Connection, pose: UUID, *, code: str, detail: str) -> bool:
    """Fail a pose; False when it has ended already."""
    statement = """
        update generated_poses set status = 'failed', error_code = %s, error_detail = %s
        where id = %s and status in ('pending', 'running')
    """
    return changed(connection, statement, [code, storable(detail), pose]) == 1


def replace_thumbnail(connection: Connection, pose: UUID, thumbnail_object: int) -> bool:
    """Replace the thumbnail of a completed pose; False when its images are deleted."""
    statement = """
        update generated_poses set thumbnail_object = %s
        where id = %s and status = 'completed' and delete_after is null
    """
    return changed(connection, statement, [thumbnail_object, pose]) == 1


def put_thumbnail(connection: Connection, pose: UUID, name: str, object_id: int) -> None:
    """Set the thumbnail of a further size, such as `200.png`."""
    connection.execute(
        """
        insert into thumbnails (pose_id, size, object_id) values (%s, %s, %s)
        on conflict (pose_id, size) do update set object_id = excluded.object_id
        """,
        [pose, name, object_id],
    )


def drop_thumbnails(connection: Connection, pose: UUID, *, but: Sequence[str]) -> None:
    """Delete the further sizes of a pose, except these."""
    connection.execute("delete from thumbnails where pose_id = %s and not size = any(%s)", [pose, list(but)])


def leave_out_image(connection: Connection, generation_id: UUID, note: str) -> None:
    """Add to the open poses of a generation that they do not follow its control image."""
    connection.execute(
        "update generated_poses set degraded = degraded || %s::text"
        " where generation_id = %s and status in ('pending', 'running')",
        [storable(note), generation_id],
    )


def leave_out_map(connection: Connection, pose: UUID, note: str) -> None:
    """Take the map from a pose, and say so."""
    connection.execute(
        "update generated_poses set control_kind = null, degraded = degraded || %s::text where id = %s",
        [storable(note), pose],
    )


def first_error(connection: Connection, generation_id: UUID) -> PoseError | None:
    """Why the first pose that failed was not made."""
    statement = """
        select error_code as code, error_detail as detail from generated_poses
        where generation_id = %s and status = 'failed' order by position limit 1
    """
    return one(connection, PoseError, statement, [generation_id])


def hide(connection: Connection, poses: Sequence[UUID], *, actor: str, grace: timedelta) -> int:
    """Hide the images of completed poses of ended generations, to be deleted after `grace`; returns how many poses."""
    return int(value(connection, "select delete_images(%s, %s, %s)", [list(poses), actor, grace]))


def restore(connection: Connection, poses: Sequence[UUID], *, actor: str) -> int:
    """Take a deletion back where the images still exist; returns how many poses."""
    return int(value(connection, "select restore_images(%s, %s)", [list(poses), actor]))


def completed_poses(connection: Connection, generation_id: UUID) -> dict[int, UUID]:
    """The completed poses of a generation by their numbers, from 1; hidden ones among them."""
    statement = "select position, id from generated_poses where generation_id = %s and status = 'completed' order by 1"
    return {row["position"] + 1: row["id"] for row in connection.execute(statement, [generation_id])}


def numbered(by_number: Mapping[int, T], numbers: Collection[int] | None) -> list[T]:
    """The poses with these numbers, from 1, in their own order; all of them for None. Raises `PoseNumberUnknown`."""
    for number in numbers or ():
        if number not in by_number:
            raise PoseNumberUnknown(number, sorted(by_number))
    return [pose for number, pose in by_number.items() if numbers is None or number in numbers]


def hidden_poses(connection: Connection, generation_id: UUID) -> list[HiddenPose]:
    """The poses of a generation whose images are hidden or deleted."""
    statement = """
        select id, position, images_deleted_at from generated_poses
        where generation_id = %s and delete_after is not null order by position
    """
    return many(connection, HiddenPose, statement, [generation_id])
